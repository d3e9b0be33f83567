// Which sshd the tests run with: the one that SSHD names, else the system's.

import {spawnSync} from 'node:child_process';
import {findSshd, stockConfig} from '../../src/demo/private-sshd.js';

let known: readonly [number, number] | undefined;

/** OpenSSH version of the sshd under test. */
export function sshdVersion(): readonly [number, number] {
  if (known === undefined) {
    // Before 9.2 this is a usage error, which names the version all the same.
    const {stdout, stderr} = spawnSync(process.env['SSHD'] ?? findSshd(), ['-V'], {encoding: 'utf8'});
    const [, major = '0', minor = '0'] = /OpenSSH_(\d+)\.(\d+)/.exec(stdout + stderr) ?? [];
    known = [Number(major), Number(minor)];
  }
  return known;
}

export function sshdIsAtLeast(major: number, minor: number): boolean {
  const [ownMajor, ownMinor] = sshdVersion();
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** The stock configuration, without the penalties that 9.8 and later give to an address that connects very often. */
export function patientConfig(): string {
  return `${sshdIsAtLeast(9, 8) ? 'PerSourcePenalties no\n' : ''}${stockConfig()}`;
}
