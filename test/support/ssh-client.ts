import {execFile} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

export interface SshResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SshOptions {
  readonly directory: string;
  readonly port: number;
  /** Private key file with its certificate beside it. */
  readonly identity: string;
  /** The only line in known_hosts. */
  readonly knownHost: string;
  readonly login: string;
  readonly host?: string;
  readonly hostKeyAlias?: string;
  readonly options?: readonly string[];
  readonly prefix?: readonly string[];
  /** What is typed. */
  readonly input?: string;
  /** A program that says the password, which is then the only way in. */
  readonly askpass?: string;
}

const BY_PASSWORD = ['PreferredAuthentications=password,keyboard-interactive', 'NumberOfPasswordPrompts=1'];

let files = 0;

/** A strict, real ssh client that knows one line and has one certificate. */
export function ssh(what: SshOptions, command = 'echo hello'): Promise<SshResult> {
  files += 1;
  const knownHosts = join(what.directory, `known_hosts.${files}`);
  writeFileSync(knownHosts, `${what.knownHost}\n`);
  const options = [
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    ...(what.askpass === undefined ? ['BatchMode=yes'] : BY_PASSWORD),
    'ConnectTimeout=10',
    ...(what.hostKeyAlias === undefined ? [] : [`HostKeyAlias=${what.hostKeyAlias}`]),
    ...(what.options ?? []),
  ];
  const words = ['-F', 'none', '-p', String(what.port), '-i', what.identity, '-l', what.login];
  words.push(...options.map((option) => `-o${option}`), what.host ?? '127.0.0.1', command);
  const [program = '', ...rest] = [...(what.prefix ?? []), 'ssh', ...words];
  return new Promise((resolve) => {
    const asking = what.askpass && {SSH_ASKPASS: what.askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':'};
    const env = {...process.env, ...asking};
    const child = execFile(program, rest, {env}, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({status, stdout, stderr});
    });
    if (what.input !== undefined) child.stdin?.end(what.input);
  });
}
