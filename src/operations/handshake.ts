// A real ssh client against a throw-away `sshd -i` that serves one connection on its standard input and output: no
// port, no daemon, nothing shared with the running sshd.

import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {shellWord} from '../host/shell-word.js';

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

export interface HostAttempt {
  readonly name: string;
  /** Host key algorithms that the client takes. */
  readonly algorithms: readonly string[];
}

/**
 * For each attempt, in order: whether a strict client that knows only the authority accepts this name. It comes as whoever
 * runs this, without a key: sshd notes a name that is nobody's as a failed login in btmp, and an account without a
 * password is not let in either.
 */
export async function acceptsHost(
  host: Host,
  client: Client,
  attempts: readonly HostAttempt[],
): Promise<readonly HandshakeResult[]> {
  const connections = await connect(
    host,
    {...client, server: [...client.server, '-o', 'PermitEmptyPasswords=no']},
    attempts.map(({name, algorithms}) => ({
      name,
      words: ['-oPreferredAuthentications=none', `-oHostKeyAlgorithms=${algorithms.join(',')}`],
    })),
  );
  return connections.map(({said, log}) => {
    const ok = /^debug1: Host '.*' is known and matches the \S+-CERT host certificate\./m.test(said);
    return {ok, client: spoken(said), log};
  });
}

/** True when this login is let in with the certificate that lies beside its key. */
export async function acceptsLogin(
  host: Host,
  client: Client,
  name: string,
  login: Login,
): Promise<HandshakeResult> {
  const words = [
    '-oPreferredAuthentications=publickey',
    '-oIdentitiesOnly=yes',
    '-oIdentityAgent=none',
    `-oIdentityFile=${login.identity}`,
    '-l',
    login.user,
  ];
  const [connection] = await connect(host, client, [{name, words}]);
  const {said = '', status = 255, log = ''} = connection ?? {};
  const entered = /^Authenticated to /m.test(said);
  return {ok: entered && status !== 254 && status !== 255, client: spoken(said), log};
}

interface Attempt {
  readonly name: string;
  /** What this client is told beside what all are told. */
  readonly words: readonly string[];
}

interface Connection {
  readonly status: number;
  /** Standard error of the client. */
  readonly said: string;
  /** sshd's log of this one connection. */
  readonly log: string;
}

/** The classic curves cost 30 ms, the first a tenth less; the post-quantum default 80 ms more. */
const QUICK_EXCHANGE = '-oKexAlgorithms=ecdh-sha2-nistp256,curve25519-sha256';

/** Quickly, and by the client's own defaults where the server offers none of the quick ways. */
async function connect(
  host: Host,
  client: Client,
  attempts: readonly Attempt[],
): Promise<readonly Connection[]> {
  const quick = await run(
    host,
    client,
    attempts.map(({name, words}) => ({name, words: [QUICK_EXCHANGE, ...words]})),
  );
  const refused = attempts.filter((_, index) => NO_QUICK_EXCHANGE.test(quick[index]?.said ?? ''));
  if (refused.length === 0) return quick;
  const slow = await run(host, client, refused);
  return quick.map((one, index) => {
    const again = refused.indexOf(attempts[index] as Attempt);
    return again < 0 ? one : (slow[again] ?? one);
  });
}

const NO_QUICK_EXCHANGE = /no matching key exchange method|Bad SSH2 KexAlgorithms|Unsupported KEX/;

/** Each is a client and a server process, and waits more than it works. */
const AT_A_TIME = 6;
const PATIENCE = 30_000;

/**
 * All clients are run by one shell: what that starts costs a tenth of what a child of a large process costs. Its words
 * are the beginning of the names of files for what is said, the server, the file of known hosts, and a mark that parts
 * what it prints at the end.
 */
const SCRIPT = `
command -v ssh >/dev/null 2>&1 || exit 127
place=$1 server=$2 known=$3 mark=$4
attempt() {
  n=$1 name=$2
  shift 2
  ssh -F none -T -a -x -oProxyCommand="$server -E $place.log.$n -o LogLevel=DEBUG1" \
    -oBatchMode=yes -oStrictHostKeyChecking=yes -oUserKnownHostsFile="$known" -oGlobalKnownHostsFile=/dev/null \
    -oUpdateHostKeys=no -oControlPath=none -oLogLevel=DEBUG1 -oConnectTimeout=20 -oHostKeyAlias="$name" \
    "$@" rehearsal true </dev/null >/dev/null 2>"$place.said.$n"
  echo "$?" >"$place.ended.$n"
}
told() {
  for file in "$place".*; do
    [ -f "$file" ] || continue
    echo
    echo "$mark \${file#"$place."}"
    cat "$file"
    rm -f "$file"
  done
}
`;

/** Clients that wait for each other, as one line each. */
function rows(attempts: readonly Attempt[]): readonly string[] {
  const commands = attempts.map(
    ({name, words}, index) => `attempt ${[String(index), name, ...words].map(shellWord).join(' ')}`,
  );
  const row = (first: number) => commands.filter((_, index) => index % AT_A_TIME === first);
  return commands.slice(0, AT_A_TIME).map((_, first) => `{ ${row(first).join('; ')}; } &`);
}

let batches = 0;

async function run(host: Host, client: Client, attempts: readonly Attempt[]): Promise<readonly Connection[]> {
  batches += 1;
  const place = `${client.log}.${batches}`;
  const mark = `@@${Math.random().toString(36).slice(2)}`;
  const server = client.server.map(shellWord).join(' ').replaceAll('%', '%%');
  const {status, stdout} = await host.run(['/bin/sh', '-s', place, server, client.knownHosts, mark], {
    input: [SCRIPT, ...rows(attempts), 'wait', 'told', ''].join('\n'),
    timeout: PATIENCE * Math.ceil(attempts.length / AT_A_TIME),
  });
  if (status === 127) throw noClient();
  const files = new Map(
    stdout.split(`\n${mark} `).map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1)] as const;
    }),
  );
  return attempts.map((_, index) => ({
    said: files.get(`said.${index}`) ?? '',
    status: Number(files.get(`ended.${index}`) ?? '255'),
    log: files.get(`log.${index}`) ?? '',
  }));
}

/** Some distributions install the server without the client. */
function noClient(): Failure {
  return new Failure('HOST_UNSUITABLE', 'there is no ssh client on this host to rehearse with', {
    hint: 'install openssh-client (Debian, Ubuntu) or openssh-clients (Fedora, RHEL, SUSE); nothing was changed',
  });
}

function spoken(stderr: string): string {
  return stderr
    .split(/\r?\n/)
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
