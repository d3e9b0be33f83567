// Certificates that are not valid yet or any more look as if somebody stood in between; it is the clock, as a rule.

/** Whether a problem with a certificate is one of time: whoever finds it tells this host's clock along with it. */
export function isAboutTime(problem: string | undefined): boolean {
  return problem?.includes("this host's clock says") ?? false;
}

export const CLOCK_HINT =
  'compare the clocks of this host and of the cluster, and set the one that is wrong (see `timedatectl`)';

/** What to do about an answer of the cluster that is not right. */
export function hintFor(problem: string): string {
  return isAboutTime(problem)
    ? `${CLOCK_HINT}; nothing has been changed`
    : 'nothing has been changed; is something standing between this host and the cluster?';
}
