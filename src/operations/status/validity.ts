// When something that ends is due to be renewed.

/** Less than a third of its life is left. */
export function isEnding(from: Date, to: Date, now: Date): boolean {
  const [life, left] = [to.getTime() - from.getTime(), to.getTime() - now.getTime()];
  return left < life / 3;
}

/** A certificate counts seconds to 2^64, a Date milliseconds to the year 275760; undefined: no end that matters. */
export function dateOf(seconds: bigint): Date | undefined {
  return seconds > 8_640_000_000_000n ? undefined : new Date(Number(seconds) * 1000);
}
