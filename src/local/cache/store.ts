import type { StoredResponse } from "./stored.ts";

/** What a purge means: all that has one of these tags, or everything. */
export type Selection = readonly string[] | "everything";

/** A response on its way into the store. It may have been made from data older than the purges that it meets there. */
export interface Fill {
  readonly purges: Selection[];
  /** Called at a purge: who asks from now on must not wait for this fill, whose tags are not known yet. */
  readonly onPurge: () => void;
}

/** The stored responses of one entrypoint, bounded in bytes: those not asked for longest go first. */
export class CacheStore {
  readonly #maxBytes: number;
  /** By key, in order of use: a Map iterates in order of insertion, and every use inserts anew. */
  readonly #responses = new Map<string, StoredResponse>();
  readonly #fills = new Set<Fill>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The response, whether fresh or not. */
  find(key: string): StoredResponse | undefined {
    const response = this.#responses.get(key);
    if (response === undefined) return undefined;
    this.#responses.delete(key);
    this.#responses.set(key, response);
    return response;
  }

  /** Begins a fill: it is told of every purge until {@link put} or {@link abandon} ends it. */
  begin(onPurge: () => void): Fill {
    const fill: Fill = { purges: [], onPurge };
    this.#fills.add(fill);
    return fill;
  }

  abandon(fill: Fill): void {
    this.#fills.delete(fill);
  }

  /** Ends a fill with a response, which takes the place of the one there, unless a purge came in between. */
  put(fill: Fill, response: StoredResponse): void {
    this.#fills.delete(fill);
    if (fill.purges.some((selection) => selects(selection, response))) return;
    this.remove(response.key);
    if (response.bytes > this.#maxBytes) return;
    this.#responses.set(response.key, response);
    this.#bytes += response.bytes;
    for (const key of this.#responses.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.remove(key);
    }
  }

  remove(key: string): void {
    this.#bytes -= this.#responses.get(key)?.bytes ?? 0;
    this.#responses.delete(key);
  }

  /** Looks at everything stored: at the pace that the platform allows purges, an index would cost more than it saves. */
  purge(selection: Selection, within = ""): void {
    for (const [key, response] of this.#responses) {
      if (key.startsWith(within) && selects(selection, response)) this.remove(key);
    }
    for (const fill of this.#fills) {
      fill.purges.push(selection);
      fill.onPurge();
    }
  }
}

function selects(selection: Selection, { tags }: StoredResponse): boolean {
  return selection === "everything" || selection.some((tag) => tags.has(tag));
}
