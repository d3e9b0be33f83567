/** What `sshd -T` reports: the values of each keyword, in order. Iterated in lower case, asked for in any case. */
export class EffectiveConfig extends Map<string, readonly string[]> {
  override get(keyword: string): readonly string[] | undefined {
    return super.get(keyword.toLowerCase());
  }

  /** All values of a keyword; empty when sshd does not report it. */
  all(keyword: string): readonly string[] {
    return this.get(keyword) ?? [];
  }

  /** The value of a keyword that has one; undefined when sshd does not report it. */
  one(keyword: string): string | undefined {
    return this.get(keyword)?.[0];
  }
}

/** Reads the output of `sshd -T`, whose keywords are lower case up to 10.3 and mixed case from 10.4 on. */
export function parseEffective(text: string): EffectiveConfig {
  const config = new EffectiveConfig();
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ');
    const keyword = (blank < 0 ? line : line.slice(0, blank)).toLowerCase();
    const value = blank < 0 ? '' : line.slice(blank + 1);
    if (/^[a-z0-9]+$/.test(keyword)) config.set(keyword, [...config.all(keyword), value]);
  }
  return config;
}
