// The exec script installed in a private directory, run as pam_exec runs it. The directory is in /run because a hook is
// not run from below a directory that everybody can write to, such as /tmp.

import {execFileSync, spawnSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {render} from '../../src/templates.js';

export type Phase = 'account' | 'open_session' | 'close_session';

/** A shell and an awk; "busybox" as the tools means all of them and nothing else. */
export interface Flavour {
  readonly shell: readonly string[];
  readonly tools: string;
}

export const FLAVOURS: readonly Flavour[] = [
  {shell: ['dash'], tools: 'mawk'},
  {shell: ['bash', '--posix'], tools: 'gawk'},
  {shell: ['bash'], tools: 'original-awk'},
  {shell: ['busybox', 'ash'], tools: 'busybox'},
];

export interface Run {
  readonly status: number | null;
  /** What pam_exec would show to the user. */
  readonly shown: string;
  /** What went to syslog. */
  readonly log: string;
  /** What each hook that records saw, in the order they ran. */
  readonly seen: readonly ReadonlyMap<string, Buffer>[];
  readonly milliseconds: number;
}

export function installed(program: string): boolean {
  return where(program) !== '';
}

/** Its path: the PATH that is being tested must not be what finds the shell. */
function where(program: string): string {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], {encoding: 'utf8'}).stdout.trim();
}

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

export class PamScene implements Disposable {
  readonly root = mkdtempSync('/run/agentless-pam-');

  constructor(private readonly limits: {hook?: number; phase?: number; authorities?: string} = {}) {
    chmodSync(this.root, 0o755);
    for (const name of [
      'pam.d/account',
      'pam.d/open_session',
      'pam.d/close_session',
      'hooks',
      'bin',
      'record',
    ]) {
      mkdirSync(this.at(name), {recursive: true});
    }
  }

  at(name: string): string {
    return join(this.root, name);
  }

  write(name: string, text: string, mode = 0o644): string {
    writeFileSync(this.at(name), text);
    chmodSync(this.at(name), mode);
    return this.at(name);
  }

  /** A hook of its own: lines of sh. */
  hook(name: string, ...lines: readonly string[]): string {
    return this.hookOf('open_session', name, ...lines);
  }

  hookOf(phase: Phase, name: string, ...lines: readonly string[]): string {
    return this.write(`pam.d/${phase}/${name}`, ['#!/bin/sh', ...lines, ''].join('\n'), 0o755);
  }

  /** A hook that records its environment. */
  recorder(phase: Phase = 'open_session', name = '50-record'): string {
    return this.hookOf(phase, name, `exec env -0 >${this.at('record')}/"$(date +%s%N)-${name}"`);
  }

  /** The ready-made hook of templates/exec/hooks, linked. */
  ready(name: string, phase: Phase = 'open_session'): string {
    return this.hookOf(phase, name, render(`exec/hooks/${name}`, {directory: this.root}));
  }

  /** In the environment that sshd gives, with what the login brings; undefined takes a variable out. */
  run(
    environment: Readonly<Record<string, string | undefined>>,
    flavour: Flavour = {shell: ['sh'], tools: ''},
  ): Run {
    const script = this.#script(flavour.tools);
    for (const name of readdirSync(this.at('record'))) rmSync(this.at(`record/${name}`));
    this.write('log', '');
    const [program = '', ...words] = flavour.shell;
    const before = performance.now();
    const {status, stdout} = spawnSync(where(program), [...words, script], {
      env: {...FROM_SSHD, ...environment},
      cwd: '/',
      input: 'what comes on standard input is not for hooks',
      maxBuffer: 1e8,
    });
    return {
      status,
      shown: stdout.toString('latin1'),
      log: readFileSync(this.at('log'), 'latin1'),
      seen: readdirSync(this.at('record'))
        .sort()
        .map((name) => readEnvironment(readFileSync(this.at(`record/${name}`)))),
      milliseconds: performance.now() - before,
    };
  }

  /** A PATH with a logger that records, and with these tools. */
  path(tools: string): string {
    const bin = this.at(`bin/${tools || 'system'}`);
    try {
      mkdirSync(bin);
    } catch {
      return tools === 'busybox' ? bin : `${bin}:${SYSTEM_PATH}`;
    }
    if (tools === 'busybox') execFileSync('busybox', ['--install', '-s', bin]);
    else if (tools !== '')
      execFileSync('sh', ['-c', 'ln -s "$(command -v "$1")" "$2/awk"', 'sh', tools, bin]);
    rmSync(join(bin, 'logger'), {force: true});
    // As logger does, it reads lines and adds them to the log in one piece.
    this.write(
      `bin/${tools || 'system'}/logger`,
      `#!/bin/sh\n[ "$*" = "-t agentless-pam -p authpriv.info" ] && exec /bin/cat >>${this.at('log')}\n`,
      0o755,
    );
    return this.path(tools);
  }

  #script(tools: string): string {
    const {hook = 10, phase = 30, authorities = ''} = this.limits;
    const text = render('exec/pam-exec', {
      directory: this.root,
      path: this.path(tools),
      authorities: authorities === '' ? "''" : authorities,
      hookSeconds: `${hook}`,
      phaseSeconds: `${phase}`,
    });
    return this.write(`pam-exec-${tools}`, text, 0o755);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, {recursive: true, force: true});
  }
}

const FROM_SSHD = {
  PAM_TYPE: 'open_session',
  PAM_SERVICE: 'sshd',
  PAM_USER: 'root',
  PAM_RHOST: '10.0.0.7',
  PAM_TTY: 'ssh',
  SSH_CONNECTION: '10.0.0.7 50000 10.0.0.5 22',
  PWD: '/',
};

/** A line of sshd for a login with this certificate. */
export function authInfo(certificate: string): string {
  return `publickey ${certificate}\n`;
}

function readEnvironment(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const entries = bytes
    .toString('latin1')
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), Buffer.from(entry.slice(at + 1), 'latin1')] as const;
    });
  return new Map(entries);
}
