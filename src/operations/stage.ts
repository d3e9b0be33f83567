// The private directory of a rehearsal. It is not on record anywhere, so its name says whose it is, and the next
// rehearsal takes away what a killed one has left. A host that can be lost does so by itself.

import {randomBytes} from 'node:crypto';
import {basename, join} from 'node:path/posix';
import type {Host} from '../host/host.js';

/** Writes a file on the stage, by its name or absolute path, latin-1 or bytes; gives its path. */
export type Put = (name: string, content: string | Uint8Array, mode?: number) => Promise<string>;

export interface Stage {
  /** A directory that only this user can look into. */
  readonly path: string;
  /** Its own name, that nothing else has: for what has to lie elsewhere. */
  readonly name: string;
  readonly put: Put;
  /** Makes a directory on the stage that everybody may look into; gives its path. */
  readonly directory: (name: string) => Promise<string>;
  /** Makes a symbolic link on the stage; gives its path. */
  readonly link: (name: string, target: string) => Promise<string>;
}

/** Work in a private directory that is gone afterwards, however the work ends. */
export async function onStage<T>(host: Host, uid: number, work: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await nameOfStage(host, uid);
  const making = host.watch?.stage(stage) ?? host.makeDirectory(stage, {mode: 0o700});
  making.catch(() => undefined);
  const written = new Map<string, Promise<void>>();
  const directories: string[] = [];
  const at = (name: string) => (name.startsWith('/') ? name : join(stage, name));
  const put: Put = async (name, content, mode = 0o600) => {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    const writing = host.write(at(name), bytes, {mode});
    written.set(at(name), writing);
    // Where the stage cannot be made, its error is the one that tells.
    writing.catch(() => undefined);
    await making;
    await writing;
    return at(name);
  };
  const directory = async (name: string): Promise<string> => {
    directories.push(at(name));
    await host.makeDirectory(at(name), {mode: 0o755});
    return at(name);
  };
  const link = async (name: string, target: string): Promise<string> => {
    written.set(at(name), Promise.resolve());
    await host.run(['ln', '-s', target, at(name)]);
    return at(name);
  };
  try {
    return await work({path: stage, name: basename(stage), put, directory, link});
  } finally {
    // Where one has failed, the others are still being written.
    await Promise.allSettled(written.values());
    const paths = [...written.keys(), ...[...directories].reverse(), stage];
    await Promise.all(paths.map((path) => host.remove(path)));
  }
}

/** Where the stage is to be; what others have left of theirs is taken away on the way. */
async function nameOfStage(host: Host, uid: number): Promise<string> {
  const parent = uid === 0 ? '/run' : '/tmp';
  // What a rehearsal of PAM has put where PAM looks for it.
  const parents = uid === 0 ? [parent, '/etc', '/etc/pam.d'] : [parent];
  const [space, ...names] = await Promise.all([
    processSpace(host),
    ...parents.map((one) => namesIn(host, one)),
  ]);
  if (space !== undefined)
    await Promise.all(parents.map((one, index) => sweep(host, one, names[index] ?? [], {uid, space})));
  const owner = [host.pid, space ?? 'here', randomBytes(6).toString('hex')].join('-');
  return join(parent, `agentless-${owner}`);
}

async function namesIn(host: Host, path: string): Promise<readonly string[]> {
  const entry = await host.look(path).catch(() => undefined);
  return entry?.kind === 'directory' ? entry.names : [];
}

/** The namespace in which process ids count: containers may share /tmp and not their processes. */
async function processSpace(host: Host): Promise<string | undefined> {
  const entry = await host.look('/proc/self/ns/pid').catch(() => undefined);
  return entry?.kind === 'symlink' ? /\d+/.exec(entry.target)?.[0] : undefined;
}

/** Anybody may make files in /tmp: only our own are taken away, and only when their process is gone. */
async function sweep(
  host: Host,
  parent: string,
  names: readonly string[],
  {uid, space}: {readonly uid: number; readonly space: string},
): Promise<void> {
  const staged = new RegExp(`^\\.?agentless-(\\d+)-${space}-[0-9a-f]{12}(?:-[a-z-]+)?(?:\\.agentless-tmp)?$`);
  for (const name of names) {
    const [, pid] = staged.exec(name) ?? [];
    if (pid === undefined || (await host.look(`/proc/${pid}`)) !== undefined) continue;
    const path = join(parent, name);
    const left = await host.look(path).catch(() => undefined);
    if (left !== undefined && 'uid' in left && left.uid === uid) await takeAway(host, path);
  }
}

/** With all that is in it, as far as that can be had. */
async function takeAway(host: Host, path: string): Promise<void> {
  const entry = await host.look(path).catch(() => undefined);
  if (entry?.kind === 'directory') for (const name of entry.names) await takeAway(host, join(path, name));
  await host.remove(path).catch(() => undefined);
}
