// What a cloud says of the machine that asks: tags, under the names that Teleport's own agent gives them.

import {Failure} from '../../errors.js';
import {azureTags} from './azure.js';
import {ec2Tags} from './ec2.js';
import {gcpTags} from './gcp.js';
import type {Dial} from './local-http.js';

export interface CloudTags {
  readonly cloud: 'EC2' | 'GCP' | 'Azure';
  /** Names and values as the cloud has them, which need not be what the cluster takes for labels. */
  readonly pairs: readonly (readonly [name: string, value: string])[];
  /** Names that no label can have, and whose values were not asked for. */
  readonly skipped: readonly string[];
  /** What to know about what is not among them. */
  readonly notes: readonly string[];
}

export interface CloudContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dial?: Dial;
}

/** Another cloud, or none: the words are for people. */
export class Elsewhere extends Error {}

/**
 * All clouds are asked at once, each for two seconds at most before it counts as another. HOST_UNSUITABLE where no cloud
 * answers, and where one does that shows no tags.
 */
export async function cloudTags(context: CloudContext): Promise<CloudTags> {
  const answers = await Promise.allSettled([ec2Tags, gcpTags, azureTags].map((ask) => ask(context)));
  const refusals: string[] = [];
  for (const answer of answers) {
    if (answer.status === 'fulfilled') return answer.value;
    if (!(answer.reason instanceof Elsewhere)) throw answer.reason;
    refusals.push(answer.reason.message);
  }
  throw new Failure('HOST_UNSUITABLE', 'no cloud says that this host is one of its machines', {
    detail: refusals.join('\n'),
    hint: 'labels come from EC2, GCP or Azure; elsewhere give --labels, or --labels-from file:PATH or command:WORDS',
  });
}

/** The error of an unanswered question. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
