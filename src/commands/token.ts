// Where a token comes from. It is trimmed: files and pipes end in a newline.

import {Failure, Secret} from '../errors.js';
import {codeOf} from '../system-error.js';

const HINT =
  'make one with `tctl tokens add --type=node`, and give it by --token-file, --token - or AGENTLESS_TOKEN';

/**
 * The token, or undefined when none was given (a joined host needs none). As in Teleport's own command, a --token that
 * is an absolute path names a file.
 */
export async function readToken(
  value: string | undefined,
  file: string | undefined,
  environment: string | undefined,
): Promise<Secret | undefined> {
  // Never inherited by anything we start.
  delete process.env['AGENTLESS_TOKEN'];
  if (file !== undefined) return checked(await readTokenFile(file), file);
  if (value === '-') return checked(await readAll(process.stdin), 'standard input');
  if (value?.startsWith('/')) return checked(await readTokenFile(value), value);
  if (value !== undefined) return checked(value, '--token');
  return environment === undefined ? undefined : checked(environment, 'AGENTLESS_TOKEN');
}

/** Whether the place that was named held no token: the file is gone, or nothing came. */
export function isAbsentToken(error: unknown): error is Failure {
  if (!(error instanceof Failure) || error.code !== 'USAGE') return false;
  return codeOf(error.cause) === 'ENOENT' || /^the token from .* is empty$/.test(error.message);
}

function checked(text: string, source: string): Secret {
  const token = text.trim();
  if (token === '') throw new Failure('USAGE', `the token from ${source} is empty`, {hint: HINT});
  if (/[\s\p{Cc}]/u.test(token)) {
    throw new Failure('USAGE', `the token from ${source} is not a single word`, {hint: HINT});
  }
  return new Secret(token);
}

async function readTokenFile(path: string): Promise<string> {
  const {readFile} = await import('node:fs/promises');
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Failure('USAGE', `cannot read the token file ${path} (${why})`, {hint: HINT, cause});
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const parts: string[] = [];
  for await (const part of stream) parts.push(part.toString());
  return parts.join('');
}
