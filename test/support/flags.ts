/** Words of a command line with some flags given another value, or left out. */
export function withFlags(
  words: readonly string[],
  flags: Readonly<Record<string, string | undefined>>,
): string[] {
  const rest = [...words];
  for (const [name, value] of Object.entries(flags)) {
    const at = rest.indexOf(`--${name}`);
    if (at >= 0) rest.splice(at, 2);
    if (value !== undefined) rest.push(`--${name}`, value);
  }
  return rest;
}
