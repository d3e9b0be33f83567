import {Refusal} from './refusal.js';

/** Runs a part of a join; a refusal in it says which part that was, each part one tab deeper, as Teleport's do. */
export function within<T>(part: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.kind, `${part}\n\t${error.message.replaceAll('\n', '\n\t')}`);
  }
}
