/** Why the file is left alone: one line, lower case; and the line at fault where there is one. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: string;
  readonly line?: number;
}

export function refusal(reason: string, line?: number): Refusal {
  return {kind: 'refused', reason, ...(line !== undefined && {line})};
}
