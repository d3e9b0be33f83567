// How a control reads in a file: one of the four words, else its pairs.
import {type Action, type Control, RESULTS, readControl} from './control.js';

const WORDS = ['required', 'requisite', 'sufficient', 'optional'] as const;

/** "required", or "[success=1 default=ignore]" with the action that most results have as the default. */
export function controlText(control: Control): string {
  const word = WORDS.find((one) => readControl(one) === control);
  if (word !== undefined) return word;
  const rest = mostCommon(RESULTS.map((result) => control[result]));
  const pairs = RESULTS.filter((result) => control[result] !== rest).map(
    (result) => `${result}=${control[result]}`,
  );
  return `[${[...pairs, `default=${rest}`].join(' ')}]`;
}

function mostCommon(actions: readonly Action[]): Action {
  const count = (action: Action) => actions.filter((one) => one === action).length;
  return actions.reduce((best, one) => (count(one) > count(best) ? one : best), actions[0] ?? 'bad');
}
