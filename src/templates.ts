// The text of what we install: files in templates/ with {{name}} where a value goes. Values go in as they are; to quote
// them for whoever reads the file is the caller's job.

import {existsSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const PLACE = /\{\{(\w+)\}\}/g;

/** Bundled or not, the directory lies in or above that of this file. */
function directory(start: string): string {
  const here = join(start, 'templates');
  if (existsSync(here)) return here;
  const above = dirname(start);
  if (above === start) throw new Error('the directory templates/ is missing from this installation');
  return directory(above);
}

/**
 * A template of templates/ with its values put in, e.g. `render('cron/agentless-renew', {…})`. A name without a value,
 * and a value without a place, are errors of the caller.
 */
export function render(template: string, values: Readonly<Record<string, string>>): string {
  const path = join(directory(dirname(fileURLToPath(import.meta.url))), template);
  return fill(readFileSync(path, 'utf8'), values, template);
}

/** The pure half. A value is never looked into for names. */
export function fill(text: string, values: Readonly<Record<string, string>>, what = 'the template'): string {
  const names = new Set([...text.matchAll(PLACE)].map(([, name = '']) => name));
  const unknown = [...names].filter((name) => !Object.hasOwn(values, name));
  const unused = Object.keys(values).filter((name) => !names.has(name));
  if (unknown.length > 0) throw new TypeError(`${what} wants ${unknown.join(', ')}`);
  if (unused.length > 0) throw new TypeError(`${what} has no place for ${unused.join(', ')}`);
  return text.replace(PLACE, (_, name: string) => values[name] ?? '');
}
