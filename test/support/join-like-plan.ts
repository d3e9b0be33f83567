// A plan with every kind of step that a join has, on a tree that has every kind of oddity a host may have.

import {chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Host} from '../../src/host/host.js';
import {dataDirectory} from '../../src/plan/data-directory.js';
import {type ApplyOptions, apply, prune, recover} from '../../src/plan/plan.js';
import {readRecord} from '../../src/plan/record.js';
import type {Step} from '../../src/plan/step.js';
import {lastingSteps, takeBack} from '../../src/plan/take-back.js';
import type {Xattrs} from './tree.js';

export const CONFIG = 'etc/real/sshd_config.site';
export const RUNNING = 'run/running-config';
/** What enabling a unit leaves behind. */
export const ENABLED = 'run/enabled.timer';

const isRoot = process.getuid?.() === 0;

/** What a host looks like before. */
export async function makeHost(root: string, xattrs?: Xattrs): Promise<void> {
  for (const directory of ['etc/ssh/sshd_config.d', 'etc/real', 'etc/pam.d', 'run', 'var']) {
    mkdirSync(join(root, directory), {recursive: true});
  }
  const put = (path: string, content: string, mode: number): void => {
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
    utimesSync(join(root, path), 1_500_000_000.25, 1_500_000_000.5);
  };
  put(CONFIG, '# gr\xfcn\r\nPort 22\n\n\nMatch User x\n', 0o640);
  put('etc/pam.d/sshd', '@include common-auth\n', 0o444);
  put('etc/ssh/old.conf', 'Banner none\n', 0o604);
  put('etc/ssh/untouched', 'leave me\n', 0o4711);
  symlinkSync('../real/sshd_config.site', join(root, 'etc/ssh/sshd_config'));
  chmodSync(join(root, 'etc/ssh/sshd_config.d'), 0o711);
  if (isRoot) chownSync(join(root, CONFIG), 1234, 4321);
  chmodSync(join(root, CONFIG), 0o640);
  await xattrs?.set(join(root, CONFIG), 'user.origin', 'the site');
  writeFileSync(join(root, RUNNING), readFileSync(join(root, CONFIG)));
}

export const dataDirIn = (root: string): string => join(root, 'var/lib/agentless');
export const isReload = (argv: readonly string[]): boolean => argv[0] === 'cp' || argv[0] === 'rm';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** The steps of a join; `again` gives those of a later change of the same files. */
function joinSteps(root: string, again = false): readonly Step[] {
  const at = (path: string): string => join(root, path);
  const file = (path: string, text: string, rest: {mode?: number; secret?: boolean} = {}): Step => ({
    kind: 'path',
    path: at(path),
    to: {kind: 'file', bytes: bytes(text), ...rest},
    why: `write ${path}`,
  });
  const reload = ['cp', '--no-preserve=mode', at(CONFIG), at(RUNNING)];
  const version = again ? 'second' : 'first';
  return [
    {
      kind: 'path',
      path: at('etc/ssh/agentless'),
      to: {kind: 'directory', mode: 0o755},
      why: 'hold certificates',
    },
    file('etc/ssh/agentless/host-cert.pub', `${version} certificate\n`),
    file('etc/ssh/agentless/trusted_user_ca_keys', again ? 'second ca\n' : 'ca\n', {mode: 0o644}),
    file('var/lib/agentless/identity.json', `${version} PRIVATE\n`, {secret: true}),
    {kind: 'path', path: at('etc/ssh/sshd_config.d'), to: {kind: 'directory', mode: 0o755}, why: 'be read'},
    file('etc/ssh/sshd_config.d/00-agentless.conf', 'HostCertificate x\n', {mode: 0o644}),
    file('etc/ssh/sshd_config', `# gr\xfcn\r\nInclude ${version}\nPort 22\n\n\nMatch User x\n`),
    file('etc/pam.d/sshd', '@include teleport\n@include common-auth\n'),
    {kind: 'path', path: at('etc/ssh/old.conf'), to: undefined, why: 'replaced'},
    {kind: 'check', argv: ['test', '-e', at(CONFIG)], why: 'check the configuration'},
    {kind: 'command', argv: reload, settle: reload, why: 'reload'},
  ];
}

/** A unit that is enabled, as steps of a later change. */
function timerSteps(root: string): readonly Step[] {
  const [unit, enabled] = [join(root, 'etc/renew.timer'), join(root, ENABLED)];
  const disable = ['rm', '-f', enabled];
  return [
    {kind: 'path', path: unit, to: {kind: 'file', bytes: bytes('[Timer]\n')}, why: 'renew'},
    {
      kind: 'command',
      argv: ['cp', unit, enabled],
      settle: disable,
      lasting: {
        before: disable,
        after: ['cp', '--no-preserve=mode', join(root, CONFIG), join(root, RUNNING)],
      },
      why: 'enable the timer',
    },
  ];
}

export async function enableTimer(host: Host, root: string): Promise<void> {
  const steps = await prune(host, timerSteps(root));
  await apply(host, steps, {dataDir: dataDirIn(root), operation: 'renew', settings: {nodeId: 'n-1'}});
}

/** What `leave` does to the host of such a join. */
export async function leaveLike(host: Host, root: string, rest: Partial<ApplyOptions> = {}): Promise<void> {
  const dataDir = dataDirIn(root);
  await recover(host, dataDir);
  const record = await readRecord(host, dataDir);
  if (record === undefined) throw new Error('not joined');
  const directory = dataDirectory(dataDir);
  const nothing = () => undefined;
  const {steps, left} = await takeBack(host, record.changes, {
    directory,
    without: nothing,
    needed: nothing,
    gone: new Set(),
  });
  const reload = ['cp', '--no-preserve=mode', join(root, CONFIG), join(root, RUNNING)];
  const {before, after} = lastingSteps(record);
  const all: Step[] = [
    ...before,
    ...steps,
    {kind: 'check', argv: ['test', '-e', join(root, CONFIG)], why: 'check the configuration'},
    {kind: 'command', argv: reload, settle: reload, why: 'reload'},
    ...after,
  ];
  await apply(host, all, {
    dataDir,
    operation: 'leave',
    settings: record.settings,
    ends: {
      transaction: record.transaction,
      made: record.made,
      keep: left.flatMap(({saved}) => saved ?? []),
    },
    beforeCommit: (note) => note({unregistering: 'n-1'}),
    ...rest,
  });
}

export async function joinLike(
  host: Host,
  root: string,
  rest: Partial<ApplyOptions> = {},
  again = false,
): Promise<void> {
  // As every command does: a plan leaves out what is right already.
  await recover(host, dataDirIn(root));
  const steps = await prune(host, joinSteps(root, again));
  await apply(host, steps, {
    dataDir: dataDirIn(root),
    operation: 'join openssh',
    settings: {nodeId: 'n-1'},
    beforeCommit: (note) => note({registering: 'n-1'}),
    ...rest,
  });
}
