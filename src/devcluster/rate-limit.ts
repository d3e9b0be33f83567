// Token buckets per source address, with the numbers measured on 18.0.0.

export interface Limit {
  /** Requests that may come at once. */
  readonly burst: number;
  /** Milliseconds until one more is allowed. */
  readonly every: number;
}

/** What is limited. */
export interface Limits {
  readonly join: Limit;
  readonly export: Limit;
}

export const MEASURED: Limits = {join: {burst: 480, every: 500}, export: {burst: 40, every: 3000}};

export class RateLimiter {
  readonly #limit: Limit;
  readonly #buckets = new Map<string, {left: number; at: number}>();

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** True when the request is within the limit; `now` in milliseconds. */
  take(address: string, now = Date.now()): boolean {
    const {burst, every} = this.#limit;
    const bucket = this.#buckets.get(address) ?? {left: burst, at: now};
    const left = Math.min(burst, bucket.left + (now - bucket.at) / every);
    const allowed = left >= 1;
    this.#buckets.set(address, {left: allowed ? left - 1 : left, at: now});
    return allowed;
  }

  /** What the real limiter says: the time one more request takes to become free. */
  get message(): string {
    const {every} = this.#limit;
    return `rate limit exceeded, try again in ${every < 1000 ? `${every}ms` : `${every / 1000}s`}`;
  }
}
