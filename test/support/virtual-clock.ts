/** Time that passes only when nothing else is going on. Whatever takes part is started by {@link spawn}. */
export class VirtualClock {
  #now: number;
  #running = 0;
  readonly #sleepers: { at: number; wake: () => void }[] = [];
  #onIdle: (() => void) | undefined;

  constructor(now: number) {
    this.#now = now;
  }

  readonly now = (): number => this.#now;

  /** Starts something that {@link advance} waits for, unless it sleeps or has stopped for good. */
  spawn(work: () => Promise<unknown>): void {
    this.#running++;
    void work().finally(() => this.#pause());
  }

  readonly sleep = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const at = this.#now + ms;
    const after = this.#sleepers.findIndex((sleeper) => sleeper.at > at);
    this.#sleepers.splice(after === -1 ? this.#sleepers.length : after, 0, { at, wake: resolve });
    this.#pause();
    return promise;
  };

  /** Never returns: whoever awaits it has died. */
  readonly die = (): Promise<never> => {
    this.#pause();
    return new Promise(() => {});
  };

  /** Lets time pass, and everything happen that happens meanwhile. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#idle();
    for (let next = this.#sleepers[0]; next !== undefined && next.at <= until; next = this.#sleepers[0]) {
      this.#sleepers.shift();
      this.#now = next.at;
      this.#running++;
      next.wake();
      await this.#idle();
    }
    this.#now = until;
  }

  #pause(): void {
    this.#running--;
    if (this.#running === 0) this.#onIdle?.();
  }

  async #idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#onIdle = undefined;
  }
}
