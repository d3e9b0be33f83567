// A real ssh client against a throw-away `sshd -i` that serves one connection on its standard input and output: no
// port, no daemon, nothing shared with the running sshd.

import {Failure} from '../errors.js';
import type {Host, RunResult} from '../host/host.js';

/** Where a client finds what it needs; all inside one private directory. */
export interface Client {
  readonly knownHosts: string;
  /** Words of `sshd -i …`, without -E. */
  readonly server: readonly string[];
  /** Prefix for log files, one per connection. */
  readonly log: string;
}

export interface Login {
  readonly user: string;
  /** Private key file; its certificate lies beside it as -cert.pub. */
  readonly identity: string;
}

export interface HandshakeResult {
  readonly ok: boolean;
  /** What the client said, debug lines left out. */
  readonly client: string;
  /** sshd's log of this one connection. */
  readonly log: string;
}

/** Nobody's name: a rehearsal of the host key must not be able to log in anywhere. */
const NOBODY = 'agentless-rehearsal';

/** True when a strict client that knows only the authority accepts this name by one of these algorithms. */
export async function acceptsHost(
  host: Host,
  client: Client,
  name: string,
  algorithms: readonly string[],
): Promise<HandshakeResult> {
  const {result, log} = await connect(host, client, name, [
    '-oPreferredAuthentications=none',
    `-oHostKeyAlgorithms=${algorithms.join(',')}`,
    '-l',
    NOBODY,
  ]);
  const ok = /^debug1: Host '.*' is known and matches the \S+-CERT host certificate\./m.test(result.stderr);
  return {ok, client: spoken(result.stderr), log};
}

/** True when this login is let in with the certificate that lies beside its key. */
export async function acceptsLogin(
  host: Host,
  client: Client,
  name: string,
  login: Login,
): Promise<HandshakeResult> {
  const {result, log} = await connect(host, client, name, [
    '-oPreferredAuthentications=publickey',
    '-oIdentitiesOnly=yes',
    '-oIdentityAgent=none',
    `-oIdentityFile=${login.identity}`,
    '-l',
    login.user,
  ]);
  const entered = /^Authenticated to /m.test(result.stderr);
  const ok = entered && result.status !== 254 && result.status !== 255;
  return {ok, client: spoken(result.stderr), log};
}

/** The classic curve costs 15 to 75 ms, the post-quantum default 80 ms more; a server may offer only the latter. */
async function connect(host: Host, client: Client, name: string, words: readonly string[]) {
  const quick = await attempt(host, client, name, ['-oKexAlgorithms=curve25519-sha256', ...words]);
  const refused = /no matching key exchange method|Bad SSH2 KexAlgorithms|Unsupported KEX/.test(
    quick.result.stderr,
  );
  return refused ? attempt(host, client, name, words) : quick;
}

let connections = 0;

async function attempt(host: Host, client: Client, name: string, words: readonly string[]) {
  connections += 1;
  const log = `${client.log}.${connections}`;
  const server = [...client.server, '-E', log, '-o', 'LogLevel=DEBUG1'].map(shellWord).join(' ');
  const argv = [
    'ssh',
    '-F',
    'none',
    '-T',
    '-a',
    '-x',
    `-oProxyCommand=${server.replaceAll('%', '%%')}`,
    '-oBatchMode=yes',
    '-oStrictHostKeyChecking=yes',
    `-oUserKnownHostsFile=${client.knownHosts}`,
    '-oGlobalKnownHostsFile=/dev/null',
    '-oUpdateHostKeys=no',
    '-oControlPath=none',
    '-oLogLevel=DEBUG1',
    '-oConnectTimeout=20',
    `-oHostKeyAlias=${name}`,
    ...words,
    'rehearsal',
    'true',
  ];
  const result: RunResult = await host.run(argv, {timeout: 30_000});
  if (result.stderr === '' && (result.status === 126 || result.status === 127)) throw noClient();
  const entry = await host.look(log);
  if (entry !== undefined) await host.remove(log);
  return {result, log: entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : ''};
}

/** Some distributions install the server without the client. */
function noClient(): Failure {
  return new Failure('HOST_UNSUITABLE', 'there is no ssh client on this host to rehearse with', {
    hint: 'install openssh-client (Debian, Ubuntu) or openssh-clients (Fedora, RHEL, SUSE); nothing was changed',
  });
}

/** Quotes a word for the shell that runs ProxyCommand. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_/.:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function spoken(stderr: string): string {
  return stderr
    .split('\n')
    .filter(
      (line) => line.trim() !== '' && !/^(debug\d|OpenSSH_|Authenticated to|Warning: Permanently)/.test(line),
    )
    .join('\n');
}

/** Lines of sshd's log that say why, in the order of how much they tell; measured texts of 7.9 to 10.x. */
const REASONS = [
  /not allowed because/,
  /ROOT LOGIN REFUSED/,
  /does not contain an authorized principal/,
  /not in PubkeyAcceptedAlgorithms|not in PubkeyAcceptedKeyTypes/,
  /signature algorithm .* not supported/,
  /Invalid user/,
  /is revoked|Authentication key .* revoked|RevokedKeys|Error checking authentication key/,
  /Access denied .* by PAM/,
  /Certificate invalid|certificate.*(?:expired|not yet valid)/i,
  /No matching private key|Could not load host certificate|no matching host key/,
  /Authentication refused/,
  // With UsePAM every connection has lines such as "PAM: initializing for …".
  /pam_open_session|^(?:error|fatal): PAM:|^PAM: User account has expired/,
  /^Partial publickey/,
  // The plain key is tried first, and fails: what became of the certificate matters.
  /^Failed publickey .*-CERT /,
  /^Failed publickey/,
];

/** Lines that every connection has; sshd from 10.4 on warns of our quick key exchange. */
const COMMON = /^(debug|Connection (from|closed|reset) |WARNING: connection from .*key exchange)/;

/** sshd's own reason, verbatim, or its last words that are not debugging; undefined when it gives none. */
export function reasonOf(log: string): string | undefined {
  const lines = log.split(/\r?\n/).map((line) => line.trim().replace(/ \[preauth\]$/, ''));
  for (const pattern of REASONS) {
    const line = lines.map((one) => one.replace(/^debug1: /, '')).find((one) => pattern.test(one));
    if (line !== undefined) return line;
  }
  return lines.findLast((line) => line !== '' && !COMMON.test(line));
}
