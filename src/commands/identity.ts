// --identity FILE|DIR: the file of an identity, or the directory that tbot keeps one in.

import type {Stats} from 'node:fs';
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {UserIdentity} from '../cluster/cluster.js';
import {parseIdentity} from '../cluster/identity-file.js';
import {Failure} from '../errors.js';

/** What tbot writes besides `identity`, in the order of an identity file. */
const PARTS = ['key', 'tlscert', 'teleport-host-ca.crt'] as const;

// Identity files have some kilobytes.
const LARGEST = 1024 * 1024;

const HINT =
  'give the file that `tctl auth sign --format=file --user=USER --out=FILE` writes, or the output directory of tbot';

/** Fails with USAGE for what is no identity, REQUEST_REFUSED for one that has expired. `warn` hears of others who may read it. */
export async function readIdentity(path: string, warn: (text: string) => void): Promise<UserIdentity> {
  const entry = await look(path);
  if (entry === undefined) throw missing(path);
  if (!entry.isDirectory()) return parseIdentity(await readSecretFile(path, entry, warn), path);
  const whole = join(path, 'identity');
  const inside = await look(whole);
  if (inside !== undefined) return parseIdentity(await readSecretFile(whole, inside, warn), whole);
  return parseIdentity(await readParts(path, warn), path);
}

async function readParts(directory: string, warn: (text: string) => void): Promise<string> {
  const files = PARTS.map((name) => join(directory, name));
  const entries = await Promise.all(files.map(look));
  if ((await look(join(directory, 'tokenhash'))) !== undefined) {
    throw new Failure('USAGE', `${directory} is where tbot keeps its own state, not an output of it`, {
      hint: 'name the directory of an output of type identity: the state is for tbot alone',
    });
  }
  const texts = files.map(async (file, index) => {
    const entry = entries[index];
    if (entry === undefined) {
      throw new Failure('USAGE', `${directory} is no output directory of tbot: it has no ${PARTS[index]}`, {
        hint: `there must be a file identity, or ${PARTS.join(', ')}`,
      });
    }
    // Only the key is a secret.
    return readSecretFile(file, entry, index === 0 ? warn : () => undefined);
  });
  return (await Promise.all(texts)).join('\n');
}

async function readSecretFile(path: string, entry: Stats, warn: (text: string) => void): Promise<string> {
  if (entry.isDirectory() || entry.size > LARGEST) {
    throw new Failure('USAGE', `${path} is not an identity file`, {hint: HINT});
  }
  if (entry.isFile() && (entry.mode & 0o077) !== 0) {
    const mode = (entry.mode & 0o777).toString(8).padStart(4, '0');
    warn(`${path} is open to others (mode ${mode}), and whoever reads it is you: chmod 600 ${path}`);
  }
  return readFile(path, 'latin1').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}

/** undefined: there is nothing. */
async function look(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause))) return undefined;
    throw unreadable(path, cause);
  }
}

const missing = (path: string) => new Failure('USAGE', `there is no identity at ${path}`, {hint: HINT});

function unreadable(path: string, cause: unknown): Failure {
  return new Failure('USAGE', `cannot read the identity ${path} (${codeOf(cause)})`, {hint: HINT, cause});
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
}
