// Asks a real sshd what it makes of a configuration. SSHD names another build than the system's.
import {execFile, execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {makePrivsepDirectory} from '../../src/demo/private-sshd.js';
import {type Dialect, dialectOf} from '../../src/ssh/sshd-config/index.js';

const PROGRAM = process.env['SSHD'] ?? '/usr/sbin/sshd';

/** What `sshd -T` answered; `text` is latin-1. */
export interface Answer {
  readonly accepted: boolean;
  readonly text: string;
  readonly errors: string;
}

export class RealSshd {
  readonly directory = mkdtempSync(join(tmpdir(), 'sshd-config-'));
  readonly keys: readonly string[];
  readonly version: readonly [number, number];
  readonly dialect: Dialect;

  constructor() {
    // sshd of root checks nothing without its privilege separation directory.
    makePrivsepDirectory();
    this.keys = ['one', 'two', 'three'].map((name) => join(this.directory, name));
    for (const key of this.keys) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    this.version = versionOf(PROGRAM);
    this.dialect = dialectOf(this.version);
  }

  /** The effective configuration; `connection` as for -C. The first key is always served. */
  test(config: string, connection?: string): Promise<Answer> {
    const args = ['-T', '-f', config, '-h', this.keys[0] ?? '', ...(connection ? ['-C', connection] : [])];
    return new Promise((resolve) => {
      execFile(PROGRAM, args, {cwd: this.directory, encoding: 'latin1'}, (error, text, errors) => {
        resolve({accepted: error === null, text, errors});
      });
    });
  }

  remove(): void {
    rmSync(this.directory, {recursive: true});
  }
}

/** Old releases print their version only along with a complaint about -V. */
function versionOf(program: string): readonly [number, number] {
  const shown = execFileSync('sh', ['-c', '"$1" -V 2>&1 || true', 'sh', program], {encoding: 'utf8'});
  const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(shown) ?? [];
  if (major === undefined) throw new Error(`${program} tells no version: ${shown}`);
  return [Number(major), Number(minor)];
}

/** Runs jobs a few at a time, in order of start. */
export async function each<T>(
  items: readonly T[],
  width: number,
  job: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await job(item);
  };
  await Promise.all(Array.from({length: width}, worker));
}
