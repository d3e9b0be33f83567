// Which labels this run gives the node: what the sources say, and over it what was typed. Both are remembered, so that a
// second join and a renewal find out anew.

import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import {count} from '../describe.js';
import {interruptible, type Reporter} from '../reporter.js';
import type {JoinSettings, JoinWish} from '../settings.js';
import {gatherLabels} from './gather.js';
import {describeSource, type LabelSource, type Labels} from './source.js';

export interface SettleTools {
  readonly host: Host;
  readonly report: Reporter;
  readonly signal: AbortSignal;
}

/**
 * The wish with its labels settled. A source that was asked for in this run and does not answer is a failure; one that is
 * only remembered leaves the labels as they are, with a warning: a renewal is about more than labels.
 */
export async function settleLabels(
  tools: SettleTools,
  wish: JoinWish,
  stored?: JoinSettings,
): Promise<JoinWish> {
  const before = stored?.labelsFrom;
  const sources = wish.labelSources ?? before?.sources ?? [];
  const own = wish.labels ?? before?.own ?? stored?.labels ?? {};
  // Without sources, what is stored stands unless something was typed.
  if (sources.length === 0) return before === undefined ? wish : {...wish, labels: own};
  const found = await find(tools, sources).catch((error: unknown) => {
    const isRemembered = wish.labelSources === undefined && before !== undefined;
    if (!isRemembered || !(error instanceof Failure) || error.code === 'INTERRUPTED') throw error;
    tools.report.warn(`the labels stay as they are: ${error.message}`);
    return before.found;
  });
  return {...wish, labels: {...found, ...own}, labelsFrom: {sources, found, own}};
}

function find({host, report, signal}: SettleTools, sources: readonly LabelSource[]): Promise<Labels> {
  const gathered = gatherLabels({host, warn: (text) => report.warn(text)}, sources);
  gathered.catch(() => undefined);
  const from = sources.map(describeSource).join(', ');
  return interruptible({report, signal}, 'labels', gathered, (found) => {
    return `${count(Object.keys(found).length, 'label')} from ${from}`;
  });
}
