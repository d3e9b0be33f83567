// Whether the running daemon has taken what the files say: one handshake, for the certificate that was made last, the one
// that a daemon which was never told of it does not have. `doctor` asks for every key type.

import {asFailure, Failure} from '../../errors.js';
import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {parseCertificate} from '../../ssh/certificate.js';
import {sameBytes} from '../../ssh/wire.js';
import {askServed, endpoint} from '../proof.js';
import {shortType} from '../rehearsal.js';
import type {Held} from './certificates.js';
import {type Commands, type Problem, problem} from './problem.js';

export interface Served {
  /** Undefined: it was not asked. */
  readonly served?: boolean;
  readonly problems: readonly Problem[];
}

export async function compareServed(
  host: Host,
  {facts}: Glance,
  held: readonly Held[],
  commands: Commands,
): Promise<Served> {
  // Where a socket starts sshd for the next connection there is nothing that could be out of date.
  if (facts?.daemon.state !== 'running') return {problems: []};
  const newest = [...held].sort((a, b) => Number(b.certificate.validAfter - a.certificate.validAfter))[0];
  const key = facts.hostKeys.find(({blob}) => newest && sameBytes(blob, newest.certificate.key));
  if (newest === undefined || key === undefined || key.certificateBy.length === 0) return {problems: []};
  const blob = await askServed(host, facts, key.certificateBy).catch(asFailure);
  if (blob instanceof Failure)
    return {
      problems: [problem('SERVED_UNSEEN', blob.message, blob.hint?.replaceAll('\n', ' ') ?? '', blob.detail)],
    };
  const wanted = Buffer.from(newest.certificate.line.split(' ')[1] ?? '', 'base64');
  if (blob !== undefined && sameBytes(blob, wanted)) return {served: true, problems: []};
  const type = shortType(key.type);
  const {address, port} = endpoint(facts);
  const text = `the running sshd (pid ${facts.daemon.process?.pid}) does not serve ${newest.file}`;
  const seen =
    blob === undefined
      ? `${address} port ${port} shows no ${type} certificate`
      : `${address} port ${port} shows ${described(blob)}`;
  return {served: false, problems: [problem('NOT_SERVED', text, commands.repair, seen)]};
}

function described(blob: Uint8Array): string {
  try {
    const type = Buffer.from(blob)
      .subarray(4, 4 + Buffer.from(blob).readUInt32BE(0))
      .toString('latin1');
    const {keyId, serial, validAfter} = parseCertificate(`${type} ${Buffer.from(blob).toString('base64')}`);
    const since = new Date(Number(validAfter) * 1000).toISOString();
    return `another certificate: key id ${JSON.stringify(keyId)}, serial ${serial}, valid from ${since}`;
  } catch {
    return 'something that is no certificate';
  }
}
