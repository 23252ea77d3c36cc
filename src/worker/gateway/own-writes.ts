/** More keys than that write through one isolate in a minute nowhere; the oldest give way. */
const MAX_KEYS = 1_000;

/**
 * Which keys have written lately through this isolate, so that a client that reads on the same connection sees what it has
 * written, whatever the platform says to its purge. Other isolates know nothing of it: what is true everywhere is what the
 * answer to the write says.
 */
export class OwnWrites {
  readonly #until = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @param ms for which copies may be older than the write */
  add(keyHash: string, ms: number): void {
    const until = Math.max(this.#now() + ms, this.#until.get(keyHash) ?? 0);
    // Anew, so that the first is always the oldest.
    this.#until.delete(keyHash);
    this.#until.set(keyHash, until);
    if (this.#until.size > MAX_KEYS) this.#until.delete(this.#until.keys().next().value as string);
  }

  /** Whether a copy may be older than what the key has written. */
  has(keyHash: string): boolean {
    const until = this.#until.get(keyHash);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#until.delete(keyHash);
    return false;
  }
}

export const ownWrites = new OwnWrites();
