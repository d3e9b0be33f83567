import type {Entry, Host} from './host.js';

/** What stands at a path, or behind the symbolic link there; rejects with ENOENT for one that dangles. */
export async function lookBehind(host: Host, path: string): Promise<Entry | undefined> {
  const entry = await host.look(path);
  return entry?.kind === 'symlink' ? host.look(await host.resolve(path)) : entry;
}
