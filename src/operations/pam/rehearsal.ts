// A login through the PAM stack as it will be, on a throw-away sshd: the stack lets it in, and the hooks see whose
// certificate it was. libpam reads services from its one directory, so the staged one lies there for that long, under a
// name that nothing else has.

import {dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {refusedForTime} from '../clock.js';
import {VISITOR, type Visitor} from '../ephemeral.js';
import {type Client, reasonOf} from '../handshake.js';
import type {Stage} from '../stage.js';
import {PAM_PLACES, pamPaths} from './places.js';
import type {Pam} from './prepare.js';
import {scriptText} from './script.js';

export interface PamScript {
  readonly pam: Pam;
  /** Who logs in. */
  readonly login: string;
  /** A name that the host is known by. */
  readonly name: string;
  readonly facts: HostFacts;
  /** File with the keys that sign users. */
  readonly authorities: string;
}

/**
 * What may keep this login out and is not PAM's: who may log in how is decided by the configuration, and tried by
 * --prove-login. Nothing but this one connection sees it.
 */
const LET_IN = [
  'PubkeyAuthentication=yes',
  'AuthenticationMethods=publickey',
  'PermitRootLogin=prohibit-password',
  'AllowGroups=*',
  'ForceCommand=true',
];

/** REHEARSAL_FAILED by what PAM is to do, and by nothing else. */
export class PamRefusal extends Failure {}

/** Throws PamRefusal with sshd's own reason. */
export async function rehearsePam(
  host: Host,
  stage: Stage,
  visitor: Visitor,
  client: Client,
  script: PamScript,
): Promise<void> {
  const {pam, login, name, authorities} = script;
  // The stage may be mounted noexec, as /run is on Debian and Ubuntu.
  const places = {services: PAM_PLACES.services, directory: join(dirname(PAM_PLACES.directory), stage.name)};
  const {script: exec, hooks} = pamPaths(places);
  for (const directory of [places.directory, hooks, join(hooks, 'open_session')])
    await stage.directory(directory);
  const [seen] = await Promise.all([
    stage.put('seen', ''),
    stage.put(exec, scriptText(places, authorities), 0o755),
    stage.put(join(hooks, 'open_session/record'), `#!/bin/sh\nenv >${stage.path}/seen\n`, 0o755),
    ...pam.services(stage.name, exec).map(({path, text}) => stage.put(path, text, 0o644)),
  ]);
  const result = await visitor.tries(
    host,
    {...client, server: await serverOf(stage, client, script)},
    name,
    login,
  );
  if (!result.ok) {
    const reason = reasonOf(result.log) ?? result.client;
    throw refusedForTime(host, login, reason) ?? refused(login, reason);
  }
  const entry = await host.look(seen);
  const lines = entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1').split('\n') : [];
  const wanted = [
    `TELEPORT_USERNAME=${VISITOR.user}`,
    `TELEPORT_LOGIN=${login}`,
    `TELEPORT_ROLES=${VISITOR.role}`,
  ];
  const missing = wanted.filter((line) => !lines.includes(line));
  if (missing.length > 0) throw unseen(login, missing, lines);
}

/** sshd from 9.8 on is told the service; before, it takes its own name for it. */
async function serverOf(
  stage: Stage,
  {server}: Client,
  {pam: {settings}, login, facts}: PamScript,
): Promise<readonly string[]> {
  const listed = ['authorizedprincipalsfile', 'authorizedprincipalscommand'].some(
    (keyword) => (facts.effective.one(keyword) ?? 'none') !== 'none',
  );
  // Not on the stage: sshd reads it as whoever logs in.
  const principals = listed ? [await stage.put(`${stage.path}-principals`, `${login}\n`, 0o644)] : [];
  const named = principals.map((path) => `AuthorizedPrincipalsFile=${path}`);
  const options = [...LET_IN, ...named, `AllowUsers=${login}`].flatMap((option) => ['-o', option]);
  if (settings.shape === 'service') return [...server, ...options, '-o', `PAMServiceName=${stage.name}`];
  const [program = '', ...words] = server;
  return [await stage.link(stage.name, program), ...words, ...options];
}

const HINT =
  'seen in a rehearsal, nothing was changed; --no-pam leaves PAM alone, --prove-login NAME tries another login';

function refused(login: string, reason: string): Failure {
  return new PamRefusal('REHEARSAL_FAILED', `a login as ${login} through the PAM service would be refused`, {
    detail: `sshd says: ${reason}`,
    hint: HINT,
  });
}

function unseen(login: string, missing: readonly string[], lines: readonly string[]): Failure {
  const ran = lines.some((line) => line.startsWith('PAM_TYPE='));
  return new PamRefusal(
    'REHEARSAL_FAILED',
    ran
      ? `hooks would not see the certificate of a login as ${login}`
      : `a login as ${login} would run no hook: its PAM rules end before our script`,
    {detail: missing.map((line) => `missing: ${line}`).join('\n'), hint: HINT},
  );
}
