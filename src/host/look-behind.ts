import type {Entry, Host} from './host.js';

/** What stands at a path, or behind the symbolic link there; the link itself where it leads nowhere. */
export async function lookBehind(host: Host, path: string): Promise<Entry | undefined> {
  const entry = await host.look(path);
  if (entry?.kind !== 'symlink') return entry;
  const real = await host.resolve(path).catch(() => undefined);
  return real === undefined ? entry : host.look(real);
}
