import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Folders that each folder may import from; "errors.ts", "system-error.ts" and "templates.ts" at the top are everybody's. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  commands: ['operations', 'cluster', 'devcluster', 'demo', 'host', 'ssh'],
  operations: ['cluster', 'plan', 'host', 'pam', 'ssh'],
  cluster: ['ssh'],
  plan: ['host'],
  host: ['ssh'],
  devcluster: ['cluster', 'ssh'],
  demo: ['devcluster', 'ssh'],
  ssh: [],
  pam: [],
};

/** Modules that only these folders may use. A rule without exceptions: files named here are the exceptions. */
const RESERVED: readonly {readonly modules: RegExp; readonly by: readonly string[]}[] = [
  {modules: /^@oclif\/|^@inquirer\//, by: ['commands', 'main.ts']},
  {modules: /^(undici|@connectrpc\/.*)$/, by: ['cluster', 'devcluster']},
  {modules: /^node:(tls|http|https|http2)$/, by: ['cluster', 'devcluster']},
  {
    modules: /^node:net$/,
    by: ['cluster', 'devcluster', 'host/local.ts', 'host/remote/connection.ts', 'demo', 'ssh/address.ts'],
  },
  {modules: /^(execa|node:child_process)$/, by: ['host', 'demo']},
  {
    modules: /^node:fs(\/promises)?$/,
    // The cluster's own state, the demo's stage, the files that flags name, and the program's own; never the host that is changed.
    by: [
      'host',
      'devcluster',
      'demo',
      'main.ts',
      'commands/token.ts',
      'commands/connection.ts',
      'commands/identity.ts',
      'commands/secret-file.ts',
      'cluster/system-authorities.ts',
      'templates.ts',
    ],
  },
];

const files = readdirSync(SRC, {recursive: true, encoding: 'utf8'}).filter((file) => file.endsWith('.ts'));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

const folderOf = (path: string): string => path.split('/')[0] ?? '';

describe('imports', () => {
  it('go down only', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(SRC, resolve(SRC, dirname(file), target)))
        .filter((target) => target.includes('/') && folderOf(target) !== folderOf(file))
        .filter((target) => file.includes('/') && !ALLOWED[folderOf(file)]?.includes(folderOf(target)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('keep files, processes, sockets and prompts where they belong', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) =>
          RESERVED.some(({modules, by}) => modules.test(target) && !by.some((one) => file.startsWith(one))),
        )
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('leave pam/ pure: of Node it uses nothing', () => {
    const wrong = files
      .filter((file) => file.startsWith('pam/'))
      .flatMap((file) => importsOf(file).map((target) => `${file} imports ${target}`))
      .filter((line) => !/imports \.\.?\//.test(line));
    expect(wrong).to.deep.equal([]);
  });

  it('leave ssh/ pure: of Node it uses nothing but crypto, paths, and the syntax of addresses', () => {
    const wrong = files
      .filter((file) => file.startsWith('ssh/'))
      .flatMap((file) => importsOf(file).map((target) => `${file} imports ${target}`))
      .filter((line) => /imports node:/.test(line) && !/node:(crypto|path|path\/posix|net|url)$/.test(line));
    expect(wrong).to.deep.equal([]);
  });

  it('cover every file: no folder is forgotten in the rule', () => {
    const folders = new Set(files.filter((file) => file.includes('/')).map(folderOf));
    expect([...folders].sort()).to.deep.equal(Object.keys(ALLOWED).sort());
  });
});
