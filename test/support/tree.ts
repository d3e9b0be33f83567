import {type ChildProcessWithoutNullStreams, execFileSync, spawn} from 'node:child_process';
import {
  accessSync,
  constants,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import {createInterface} from 'node:readline';

/** A new directory; in memory where there is such a file system, for a fsync there costs nothing. */
export function temporaryTree(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return mkdtempSync('/dev/shm/agentless-');
  } catch {
    return mkdtempSync(join(tmpdir(), 'agentless-'));
  }
}

const XATTR_SERVER = `
import json, os, sys
for line in sys.stdin:
    r = json.loads(line)
    try:
        if 'set' in r: os.setxattr(r['path'], r['set'], r['value'].encode(), follow_symlinks=False); out = {}
        else:
            p = r['path']
            out = {n: os.getxattr(p, n, follow_symlinks=False).hex() for n in sorted(os.listxattr(p, follow_symlinks=False))}
    except OSError as e: out = {'error': str(e)}
    print(json.dumps(out), flush=True)
`;

/** Extended attributes, which node cannot see, through one python that is asked many times. */
export class Xattrs {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  private constructor() {
    this.#child = spawn('python3', ['-c', XATTR_SERVER]);
    this.#answers = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** Undefined where there is no python3, or the file system has no user attributes. */
  static async start(probe: string): Promise<Xattrs | undefined> {
    try {
      execFileSync('python3', ['-c', 'import os; os.getxattr'], {stdio: 'ignore'});
    } catch {
      return undefined;
    }
    const xattrs = new Xattrs();
    if ('error' in (await xattrs.set(probe, 'user.probe', 'x'))) {
      xattrs.stop();
      return undefined;
    }
    return xattrs;
  }

  set(path: string, name: string, value: string): Promise<Record<string, string>> {
    return this.#ask({path, set: name, value});
  }

  of(path: string): Promise<Record<string, string>> {
    return this.#ask({path});
  }

  stop(): void {
    this.#child.kill();
  }

  async #ask(request: object): Promise<Record<string, string>> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const {value} = await this.#answers.next();
    return JSON.parse(value) as Record<string, string>;
  }
}

export interface Leaf {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly content?: string;
  readonly mtime?: string;
  readonly xattrs?: Record<string, string>;
}

/**
 * All below `root` that must not be lost, by relative path, but for what is not `wanted` and what is below that. A
 * directory's mtime is nobody's property.
 */
export async function snapshot(
  root: string,
  xattrs?: Xattrs,
  wanted: (path: string) => boolean = () => true,
): Promise<Record<string, Leaf>> {
  const tree: Record<string, Leaf> = {};
  const visit = async (path: string): Promise<void> => {
    const name = relative(root, path);
    if (!wanted(name)) return;
    const stat = lstatSync(path, {bigint: true});
    const common = {mode: (stat.mode & 0o7777n).toString(8), owner: `${stat.uid}:${stat.gid}`};
    if (stat.isSymbolicLink()) tree[name] = {kind: 'symlink', ...common, content: readlinkSync(path)};
    else if (stat.isDirectory()) {
      tree[name] = {kind: 'directory', ...common};
      for (const child of readdirSync(path)) await visit(join(path, child));
    } else {
      const content = readFileSync(path).toString('latin1');
      const attributes = xattrs === undefined ? {} : {xattrs: await xattrs.of(path)};
      tree[name] = {kind: 'file', ...common, content, mtime: String(stat.mtimeNs), ...attributes};
    }
  };
  await visit(root);
  return tree;
}

/** The paths of what is not the same in two trees, which would be too much to read. */
export function differences(before: Record<string, Leaf>, after: Record<string, Leaf>): string[] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...paths].filter((path) => JSON.stringify(before[path]) !== JSON.stringify(after[path]));
}
