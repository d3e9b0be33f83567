// Authorities as a proxy tells them to anybody: GET /webapi/auth/export. A host that has been silent for so long
// that it cannot verify Auth any more finds its way back with them. Who is believed is whoever the web certificate and
// the pins make believable, as at the first join.

import {Failure} from '../errors.js';
import {parsePublicKey} from '../ssh/key.js';
import {SshFormatError} from '../ssh/wire.js';
import {hintFor} from './clock-hint.js';
import type {ClusterInfo, ExportedAuthorities} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import {checkTlsAuthorities} from './identity.js';
import {oneLine} from './one-line.js';
import {checkPins} from './pin.js';
import type {WebConnection} from './web-connection.js';
import {Refused, readText} from './web-status.js';

export interface Exporting {
  readonly web: WebConnection;
  readonly info: ClusterInfo;
  /** As `readPin` returns them; none: no pinning. */
  readonly pins: readonly string[];
  readonly deadline: Deadline;
}

/** Verified as those that a join brings. One request after the other: they share a connection. */
export async function exportAuthorities({
  web,
  info,
  pins,
  deadline,
}: Exporting): Promise<ExportedAuthorities> {
  const get = (type: string) => exported({web, info, deadline}, type);
  const tls = checkTlsAuthorities([await get('tls-host')], info.name);
  checkPins(tls, pins);
  return {tls: tls.map(String), ssh: readHostLines(await get('host'), info.name)};
}

/** The keys that sign users for sshd. */
export async function exportUserAuthorities(exporting: Omit<Exporting, 'pins'>): Promise<readonly string[]> {
  return readUserLines(await exported(exporting, 'openssh'));
}

function exported({web, info, deadline}: Omit<Exporting, 'pins'>, type: string): Promise<string> {
  return retry(deadline, async () => {
    const path = `/webapi/auth/export?type=${type}`;
    const answer = await web.request({method: 'GET', path, repeatable: true}, deadline);
    try {
      return readText(answer, info.proxy);
    } catch (error) {
      throw error instanceof Refused ? refusal(error, info.proxy, type) : error;
    }
  });
}

/** Keys of authorized_keys lines "cert-authority TYPE BASE64 OPTIONS". */
export function readUserLines(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, type, base64] = /^cert-authority (\S+) (\S+)/.exec(line) ?? [];
    return type === undefined ? [] : [`${type} ${base64}`];
  });
}

/** Keys of known_hosts lines "@cert-authority NAMES TYPE BASE64 OPTIONS". */
export function readHostLines(text: string, cluster: string): readonly string[] {
  const keys = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => readHostLine(line, cluster));
  if (keys.length === 0) throw invalid('there is none');
  return keys;
}

function readHostLine(line: string, cluster: string): string {
  const [marker, names = '', type = '', base64 = ''] = line.trim().split(/\s+/);
  if (marker !== '@cert-authority') throw invalid(`this is no line of one: ${oneLine(line, 100)}`);
  if (!names.split(',').includes(cluster))
    throw invalid(`one is for ${oneLine(names, 100)}, not for ${cluster}`);
  try {
    const key = `${type} ${base64}`;
    parsePublicKey(key);
    return key;
  } catch (error) {
    if (error instanceof SshFormatError) throw invalid(error.message);
    throw error;
  }
}

function invalid(problem: string): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', `the exported host authorities are not right: ${problem}`, {
    hint: hintFor(problem),
  });
}

function refusal({status, message}: Refused, where: string, type: string): Failure {
  const which = type === 'openssh' ? 'OpenSSH' : 'host';
  const text = `the proxy at ${where} does not export the ${which} authorities (status ${status})`;
  return new Failure('REQUEST_REFUSED', text, {
    ...(type !== 'openssh' && {hint: 'join again with a token'}),
    ...(message !== '' && {detail: `the cluster says: ${oneLine(message)}`}),
  });
}
