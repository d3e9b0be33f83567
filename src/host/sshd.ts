// The sshd program as a tool: what version it is, what it makes of a configuration, whether it accepts one. Always run
// with the daemon's own options, which win over the file.

import {Failure} from '../errors.js';
import {type EffectiveConfig, parseEffective} from '../ssh/sshd-config/index.js';
import type {Daemon} from './daemon.js';
import type {Host, RunResult} from './host.js';
import type {Probe} from './probe.js';

export type Version = readonly [major: number, minor: number];

/** Version of a program; the probe has asked the first sshd on PATH already. */
export async function sshdVersion(
  host: Host,
  program: string,
  {sshd, version}: Pick<Probe, 'sshd' | 'version'>,
): Promise<Version> {
  if (program === sshd) return readVersion(program, version);
  const {stdout, stderr} = await host.run([program, '-V']);
  return readVersion(program, stderr + stdout);
}

/** Reads "OpenSSH_9.2p1" from what `sshd -V` says; before 9.2 that is its usage text, all the same with the version. */
function readVersion(program: string, text: string): Version {
  const found = /OpenSSH_(?:for_\w+_)?(\d+)\.(\d+)/.exec(text);
  if (found) return [Number(found[1]), Number(found[2])];
  throw new Failure('HOST_UNSUITABLE', `${program} does not say that it is OpenSSH`, {
    detail: text.trim().split('\n')[0] ?? '',
    hint: 'agentless works with OpenSSH servers only',
  });
}

/** Words for `sshd MODE` on a configuration file, as the daemon would read it. */
export function sshdCommand(daemon: Daemon, mode: '-t' | '-T' | '-i', config: string): string[] {
  return [daemon.program, mode, '-f', config, ...daemon.options];
}

/** What `sshd -T` makes of a file; sshd's own words as SSHD_CONFIG_INVALID when it refuses the configuration. */
export async function effectiveConfig(host: Host, daemon: Daemon, config: string): Promise<EffectiveConfig> {
  return (await testedConfig(host, daemon, config)).effective;
}

export interface Tested {
  readonly effective: EffectiveConfig;
  /** Files named by HostKey lines that sshd cannot load; it says nothing of its default ones. */
  readonly unloaded: readonly string[];
}

/** The same with the host keys that sshd complains about. The probe may have asked already, as for this daemon. */
export async function testedConfig(
  host: Host,
  daemon: Daemon,
  config: string,
  probe?: Pick<Probe, 'sshd' | 'tested'>,
): Promise<Tested> {
  const told = daemon.program === probe?.sshd && daemon.options.length === 0 ? probe.tested : undefined;
  const {status, stdout, stderr} = await runSshd(host, sshdCommand(daemon, '-T', config), told);
  if (status !== 0) throw refusal(config, stderr);
  // "Could not" until 8.3.
  const complaints = stderr.matchAll(/^(?:Unable to|Could not) load host key: (.*?)\r?$/gm);
  return {effective: parseEffective(stdout), unloaded: [...complaints].map((match) => match[1] ?? '')};
}

/** What to say when sshd itself does not accept the configuration that is there. */
export function refusal(config: string, stderr: string): Failure {
  const noKeys = /no hostkeys available/.test(stderr);
  return new Failure(
    'SSHD_CONFIG_INVALID',
    noKeys
      ? 'sshd can load none of its host keys'
      : 'sshd refuses its own configuration, so it was left alone',
    {
      detail: stderr.trim(),
      hint: noKeys
        ? 'make the keys with `ssh-keygen -A`, or give their files mode 0600; nothing was changed'
        : `fix that, check with \`sshd -t -f ${config}\`, and run this again`,
    },
  );
}

const PRIVSEP = /Missing privilege separation directory: (\S+)/;

/**
 * sshd -t and -T need the privilege separation directory, which does not exist before the first start (images,
 * socket activation). It lies under /run, empty and owned by root; sshd's own unit makes it the same way.
 */
async function runSshd(host: Host, argv: readonly string[], told?: RunResult): Promise<RunResult> {
  const result = told ?? (await host.run(argv));
  const missing = PRIVSEP.exec(result.stderr)?.[1];
  if (missing === undefined) return result;
  await host.makeDirectory(missing, {mode: 0o755});
  return host.run(argv);
}

const INCLUDE_PROBE = `printf 'Include /nonexistent/*.conf\\nNoSuchKeyword yes\\n' | "$0" -t -f /dev/stdin`;

/**
 * Whether this sshd knows Include, undefined when it does not tell; probed, because vendors have carried it back to older
 * versions. A shell hands the lines over: sshd opens /dev/stdin anew, which works for a pipe, but not for the socket that
 * a child of Node has there. The second keyword is one that no sshd knows; its complaint shows that the lines were read.
 */
export async function knowsInclude(host: Host, daemon: Daemon): Promise<boolean | undefined> {
  const {stderr} = await host.run(['/bin/sh', '-c', INCLUDE_PROBE, daemon.program]);
  if (!/configuration option: NoSuchKeyword/i.test(stderr)) return undefined;
  return !/configuration option: Include/i.test(stderr);
}
