const MAX_TOKENS = 10;
/** A retry for each ten queries that succeed. */
const EARNED_TOKENS = 0.1;

/**
 * A bound on retries, as a part of the queries that succeed: while the database fails, retries would multiply what it has
 * to refuse.
 *
 * @see https://sre.google/sre-book/handling-overload/
 */
export class RetryBudget {
  #tokens = MAX_TOKENS;

  /** A query has succeeded. */
  earn(): void {
    this.#tokens = Math.min(MAX_TOKENS, this.#tokens + EARNED_TOKENS);
  }

  /** @returns whether one more attempt may be made */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
