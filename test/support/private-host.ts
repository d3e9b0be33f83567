// This machine, with a configuration of sshd and host keys of its own in a temporary directory; no daemon runs.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {makePrivsepDirectory} from '../../src/demo/private-sshd.js';
import {type HostFacts, lookAt} from '../../src/host/facts.js';
import {LocalHost} from '../../src/host/local.js';

export class PrivateHost implements Disposable {
  readonly host = new LocalHost();
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'agentless-host-')));
  readonly config = this.at('sshd_config');
  readonly dataDir = this.at('data');

  constructor() {
    // sshd of root answers nothing without its privilege separation directory.
    makePrivsepDirectory();
  }

  at(name: string): string {
    return join(this.root, name);
  }

  write(name: string, text: string, mode = 0o644): string {
    writeFileSync(this.at(name), text, {encoding: 'latin1', mode});
    return this.at(name);
  }

  /** A new key pair; its private file. */
  key(name: string, type = 'ed25519', passphrase = ''): string {
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', this.at(name)]);
    return this.at(name);
  }

  /** The configuration; HostKey lines for all of these come first. */
  configure(keys: readonly string[], ...lines: readonly string[]): void {
    this.write('sshd_config', [...keys.map((key) => `HostKey ${key}`), ...lines, ''].join('\n'));
  }

  look(config = this.config): Promise<HostFacts> {
    return lookAt(this.host, config, this.dataDir);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, {recursive: true, force: true});
  }
}
