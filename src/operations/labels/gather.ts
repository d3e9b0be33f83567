// Asks the sources of labels on the host in question. What they say is data: it goes through no shell, and what cannot be
// a label is not made one.

import {TextDecoder} from 'node:util';
import {oneLine} from '../../cluster/one-line.js';
import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import {type LabelPair, readLabelText} from '../../ssh/label-text.js';
import {labelProblem} from '../../ssh/labels.js';
import {codeOf} from '../../system-error.js';
import {describeSource, type LabelSource, type Labels} from './source.js';

/** Milliseconds; it stands between a timer and the renewal. */
const PATIENCE = 10_000;

export interface LabelTools {
  readonly host: Host;
  readonly warn: (text: string) => void;
}

/** In the order of the sources; of two labels with one name the later wins. */
export async function gatherLabels(tools: LabelTools, sources: readonly LabelSource[]): Promise<Labels> {
  const answers = await Promise.all(sources.map((source) => ask(tools, source)));
  return Object.fromEntries(answers.flat());
}

function ask(tools: LabelTools, source: LabelSource): Promise<readonly LabelPair[]> {
  switch (source.from) {
    case 'cloud':
      return ofCloud(tools);
    case 'file':
      return ofFile(tools, source);
    case 'command':
      return ofCommand(tools, source);
  }
}

/** Tags are others' to choose: one that cannot be a label keeps no host from joining. */
async function ofCloud({host, warn}: LabelTools): Promise<readonly LabelPair[]> {
  // It brings an HTTP client with it, which nobody else need wait for.
  const {cloudTags} = await import('../../cluster/cloud/tags.js');
  const dial = (address: string, port: number, signal?: AbortSignal) => host.dial(address, port, {signal});
  const {cloud, pairs, skipped, notes} = await cloudTags({env: process.env, dial});
  for (const note of notes) warn(note);
  const refused = pairs.filter(([name, value]) => labelProblem(name, value) !== undefined);
  const names = [...skipped, ...refused.map(([name]) => name)];
  if (names.length > 0) {
    const shown = names.map((name) => oneLine(name, 64)).join(', ');
    warn(`tags of ${cloud} that cannot be labels are left out: ${oneLine(shown, 1000)}`);
  }
  return pairs.filter((pair) => !refused.includes(pair));
}

async function ofFile(
  {host}: LabelTools,
  source: LabelSource & {readonly from: 'file'},
): Promise<readonly LabelPair[]> {
  const what = describeSource(source);
  const refuse = (why: string, cause?: unknown) =>
    new Failure('USAGE', `labels cannot be read from ${what}: ${why}`, {
      cause,
      hint: 'name a readable file of lines name=value with --labels-from file:PATH',
    });
  const entry = await (async () => host.look(await host.resolve(source.path)))().catch((cause: unknown) => {
    throw refuse(codeOf(cause) === 'ENOENT' ? 'it is not there' : (codeOf(cause) ?? 'unknown'), cause);
  });
  if (entry?.kind !== 'file') throw refuse('it is no file');
  return readLabelText(decoded(entry.bytes) ?? fail(refuse('it is not UTF-8')), what);
}

async function ofCommand(
  {host}: LabelTools,
  source: LabelSource & {readonly from: 'command'},
): Promise<readonly LabelPair[]> {
  const what = describeSource(source);
  const {status, stdout, stderr} = await host.run(source.argv, {timeout: PATIENCE});
  if (status === 0) {
    if (!stdout.includes('\uFFFD')) return readLabelText(stdout, what);
    throw new Failure('USAGE', `what ${what} prints is not UTF-8`, {
      hint: 'it becomes labels, which are text',
    });
  }
  const how =
    status === undefined
      ? `did not end within ${PATIENCE / 1000} seconds`
      : status === 127
        ? 'cannot be found'
        : `failed with status ${status}`;
  throw new Failure('USAGE', `${what} ${how}, so that there are no labels`, {
    ...(stderr.trim() !== '' && {detail: oneLine(stderr)}),
    hint: 'it is run without a shell, with the words after --labels-from command: and nothing of this environment but PATH',
  });
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch {
    return undefined;
  }
}

function fail(error: Error): never {
  throw error;
}
