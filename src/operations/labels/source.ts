// Where labels come from that nobody types: plain data, which the record keeps.

import {isDeepStrictEqual} from 'node:util';
import {shellLine} from '../timer/quote.js';

export type LabelSource =
  | {readonly from: 'cloud'}
  | {readonly from: 'file'; readonly path: string}
  | {readonly from: 'command'; readonly argv: readonly string[]};

export type Labels = Readonly<Record<string, string>>;

/** What a joined host remembers, so that its labels can be found out again. */
export type LabelsFrom = {
  readonly sources: readonly LabelSource[];
  /** What the sources said last… */
  readonly found: Labels;
  /** …and what was typed, which wins over it. */
  readonly own: Labels;
};

/** What was found meanwhile is of no account: it is in the node record. */
export function isSameOrigin(one: LabelsFrom | undefined, other: LabelsFrom | undefined): boolean {
  const told = (origin: LabelsFrom | undefined) => origin && {sources: origin.sources, own: origin.own};
  return isDeepStrictEqual(told(one), told(other));
}

export function describeSource(source: LabelSource): string {
  if (source.from === 'cloud') return 'the cloud';
  return source.from === 'file' ? `the file ${source.path}` : `the command ${shellLine(source.argv)}`;
}
