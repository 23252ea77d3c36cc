/** A value that changes at moments that are known to lie between a call and its return. */
export class Timeline<T> {
  readonly #spans: { value: T; from: number; until: number }[];

  constructor(value: T, at: number) {
    this.#spans = [{ value, from: at, until: Number.POSITIVE_INFINITY }];
  }

  /** The value became another, at some moment from `begun` to `done`. */
  change(value: T, begun: number, done: number): void {
    const last = this.#spans.at(-1);
    if (last) last.until = done;
    this.#spans.push({ value, from: begun, until: Number.POSITIVE_INFINITY });
  }

  /** Every value that it may have had at some moment from `from` to `until`. */
  between(from: number, until: number): T[] {
    return this.#spans.filter((span) => span.from <= until && span.until >= from).map(({ value }) => value);
  }
}
