/** Skips a test and says why in its title, so that no check is left out in silence. */
export function skip(context: Mocha.Context, reason: string): never {
  const test = context.currentTest ?? context.test;
  if (test) test.title += ` (skipped: ${reason})`;
  context.skip();
  throw new Error('unreachable: skip throws');
}
