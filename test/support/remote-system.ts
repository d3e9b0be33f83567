// The host of a SystemStage as one that is reached through ssh: its sshd lives in the namespace, whoever works at it does not.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {agentless} from './cli.js';
import {admitting, writeSshConfig} from './remote-target.js';
import {skip} from './skip.js';
import {envelope} from './stage.js';
import {type Answer, SystemStage} from './system-stage.js';

export class RemoteSystem {
  private constructor(
    readonly stage: SystemStage,
    /** Words that make a command work at the host. */
    readonly there: readonly string[],
    /** The key that lets this machine in, as a line of authorized_keys. */
    readonly key: string,
  ) {}

  /** Undefined where there is no namespace to be had. */
  static async start(): Promise<RemoteSystem | undefined> {
    const stage = await SystemStage.start();
    if (stage === undefined) return undefined;
    const {directory} = stage.space;
    admitting(directory);
    const key = readFileSync(join(stage.client, 'id.pub'), 'utf8');
    const hostKeys = ['ed25519', 'ecdsa'].map((type) =>
      stage.read(`/etc/ssh/ssh_host_${type}_key.pub`).trim(),
    );
    const config = writeSshConfig(directory, {port: stage.port, hostKeys});
    const system = new RemoteSystem(stage, ['--host', 'web1', '--ssh-config', config], key);
    system.admit('root', stage.read('/etc/ssh/authorized/root'));
    stage.keep('stock');
    return system;
  }

  /** Lets this machine in as somebody else too; `besides`: further lines of that account. */
  admit(login: string, besides = ''): void {
    this.stage.write(`/etc/ssh/authorized/${login}`, `${besides}${this.key}`);
  }

  /** A command at that host, from outside. */
  async run(words: readonly string[], input = ''): Promise<Answer> {
    return envelope(await agentless([...words, ...this.there, '--json'], {input}));
  }

  join(words: readonly string[] = []): Promise<Answer> {
    return this.run([...this.stage.words, ...words], this.stage.cluster.token);
  }

  leave(): Promise<Answer> {
    return this.run(['leave']);
  }

  /** Mounts a small file system over a directory, with what is in it; kilobytes. Undone by `unmount`. */
  shrink(directory: string, size: number): void {
    const script = `mkdir -p "$1" /run/shrunk; cp -a "$1/." /run/shrunk
      mount -t tmpfs -o "size=$2k,mode=$(stat -c %a "$1")" small "$1"; cp -a /run/shrunk/. "$1"; rm -rf /run/shrunk`;
    this.stage.space.run('sh', '-ec', script, 'sh', directory, String(size));
  }

  unmount(directory: string): void {
    this.stage.space.run('umount', '-l', directory);
  }

  stop(): Promise<void> {
    return this.stage.stop();
  }
}

/** One for all tests of the suite that calls this; each finds it as it was before the first. */
export function useRemoteSystem(): () => RemoteSystem {
  let system: RemoteSystem;
  before(async function () {
    const started = await RemoteSystem.start();
    if (started === undefined) skip(this, 'no private mount namespace to be had');
    system = started;
  });
  after(() => system?.stop());
  // The record of a host that keeps no identity stays when it leaves.
  afterEach(() => system?.stage.back());
  return () => system;
}
