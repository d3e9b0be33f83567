// Ansible as it is installed here, with the collection of this repository.

import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const COLLECTION = fileURLToPath(new URL('../../ansible', import.meta.url));

/** The path of one of Ansible's programs: in the directory that ANSIBLE names, else on PATH. */
export function ansibleProgram(name: string): string | undefined {
  const {ANSIBLE: directory, PATH: path = ''} = process.env;
  const places = directory === undefined ? path.split(':') : [directory];
  return places.map((place) => join(place, name)).find(existsSync);
}

export const WITHOUT_ANSIBLE = 'no ansible-playbook on PATH, nor in a directory that ANSIBLE names';

export interface Tally {
  readonly ok: number;
  readonly changed: number;
  readonly unreachable: number;
  readonly failed: number;
}

export interface Played {
  readonly status: number | null;
  readonly output: string;
  /** The recap, by host; a host to which no wave has come is not in it. */
  readonly hosts: ReadonlyMap<string, Tally>;
}

/** Runs one of Ansible's programs where it finds the collection, and nothing of the user's own. `home`: a directory of the test. */
export function runAnsible(
  program: string,
  words: readonly string[],
  home: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Played> {
  const namespace = join(home, 'collections/ansible_collections/agentless');
  mkdirSync(namespace, {recursive: true});
  if (!existsSync(join(namespace, 'openssh'))) symlinkSync(COLLECTION, join(namespace, 'openssh'));
  const config = join(home, 'ansible.cfg');
  writeFileSync(config, '');
  const {
    NODE_EXTRA_CA_CERTS: _,
    AGENTLESS_TOKEN: _token,
    AGENTLESS_IDENTITY: _identity,
    ...own
  } = process.env;
  const clean = {
    ...own,
    HOME: home,
    ANSIBLE_HOME: join(home, 'ansible'),
    ANSIBLE_COLLECTIONS_PATH: join(home, 'collections'),
    ANSIBLE_CONFIG: config,
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_RETRY_FILES_ENABLED: '0',
    PYTHONDONTWRITEBYTECODE: '1',
    LC_ALL: 'C.UTF-8',
  };
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      env: {...clean, ...env},
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => said.push(data.toString()));
    child.once('error', reject);
    child.once('close', (status) => {
      const output = said.join('');
      resolve({status, output, hosts: recapOf(output)});
    });
  });
}

function recapOf(output: string): ReadonlyMap<string, Tally> {
  const lines = output.slice(output.lastIndexOf('PLAY RECAP')).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const match = /^(\S+)\s*:((?: +\w+=\d+)+)/.exec(line);
      if (match === null) return [];
      const counts = new Map(
        [...(match[2] ?? '').matchAll(/(\w+)=(\d+)/g)].map(([, key, n]) => [key, Number(n)]),
      );
      const count = (key: keyof Tally) => counts.get(key) ?? 0;
      const tally = {
        ok: count('ok'),
        changed: count('changed'),
        unreachable: count('unreachable'),
        failed: count('failed'),
      };
      return [[match[1] ?? '', tally] as const];
    }),
  );
}
