/**
 * Skips a test, or from a `before` hook every test of its suite, and says why in the titles, so that no check is left
 * out in silence.
 */
export function skip(context: Mocha.Context, reason: string): never {
  const runnable = context.test;
  const mark = (test: {title: string}) => {
    const words = ` (skipped: ${reason})`;
    // A hook before each test marks all of them, and may be asked again.
    if (!test.title.endsWith(words)) test.title += words;
  };
  const isHook = (runnable as {type?: string} | undefined)?.type === 'hook';
  if (isHook) runnable?.parent?.eachTest(mark);
  else if (runnable) mark(runnable);
  context.skip();
  throw new Error('unreachable: skip throws');
}
