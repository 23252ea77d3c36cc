import { variantOf } from "./key.ts";
import { mightSelect, type Selection, selects } from "./selection.ts";
import type { Place, StoredResponse } from "./stored.ts";

/** A purge, as it meets what is stored and what is on its way. */
export interface Sweep {
  selection: Selection;
  /** Removed, or kept and stale. */
  mode: "purge" | "invalidate";
  /** Milliseconds since the epoch. */
  at: number;
}

/** A response on its way into the store. It may have been made from data older than the sweeps that it meets there. */
export interface Fill {
  readonly path: string;
  readonly sweeps: Sweep[];
  /** Called at a sweep that might concern it: whoever asks from now on must not wait for this fill. */
  readonly onSweep: () => void;
}

/** All variants stored under one key. They share one `Vary`, the latest. */
interface Resource {
  vary: readonly string[];
  readonly variants: Map<string, StoredResponse>;
}

/** The stored responses of one entrypoint, bounded in bytes: those not asked for longest go first. */
export class CacheStore {
  readonly #maxBytes: number;
  /** In order of use: a Map iterates in order of insertion, and every use inserts anew. */
  readonly #resources = new Map<string, Resource>();
  readonly #fills = new Set<Fill>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The response for a request with these headers, whether fresh or not. */
  find(key: string, headers: Headers): StoredResponse | undefined {
    const resource = this.#resources.get(key);
    if (resource === undefined) return undefined;
    this.#resources.delete(key);
    this.#resources.set(key, resource);
    return resource.variants.get(variantOf(resource.vary, headers));
  }

  /** Which variant a request would get, as far as is known. */
  variantOf(key: string, headers: Headers): string {
    return variantOf(this.#resources.get(key)?.vary ?? [], headers);
  }

  /** Begins a fill: it is told of every sweep until {@link put} or {@link abandon} ends it. */
  begin(path: string, onSweep: () => void): Fill {
    const fill: Fill = { path, sweeps: [], onSweep };
    this.#fills.add(fill);
    return fill;
  }

  abandon(fill: Fill): void {
    this.#fills.delete(fill);
  }

  /** Ends a fill with a response, which takes the place of the one there, unless a purge came in between. */
  put(fill: Fill, response: StoredResponse): void {
    this.#fills.delete(fill);
    for (const { selection, mode, at } of fill.sweeps) {
      if (!selects(selection, response)) continue;
      if (mode === "purge") return;
      response.invalidate(at);
    }
    this.remove(response.place);
    if (response.bytes > this.#maxBytes) return;
    const { key, variant } = response.place;
    const resource = this.#resourceFor(key, response.vary);
    resource.variants.set(variant, response);
    this.#bytes += response.bytes;
    this.#evict();
  }

  remove({ key, variant }: Pick<Place, "key" | "variant">): void {
    const resource = this.#resources.get(key);
    if (resource === undefined) return;
    this.#bytes -= resource.variants.get(variant)?.bytes ?? 0;
    resource.variants.delete(variant);
    if (resource.variants.size === 0) this.#resources.delete(key);
  }

  /**
   * Purges or invalidates. All variants of a URL go together: a sweep that selects one selects them all.
   *
   * It looks at everything stored. At the pace that the platform allows purges, an index would cost more than it saves.
   *
   * @see https://developers.cloudflare.com/workers/cache/configuration/#vary
   */
  sweep(sweep: Sweep): void {
    for (const [key, resource] of this.#resources) {
      const variants = [...resource.variants.values()];
      if (!variants.some((variant) => selects(sweep.selection, variant))) continue;
      if (sweep.mode === "purge") this.#drop(key, resource);
      else for (const variant of variants) variant.invalidate(sweep.at);
    }
    for (const fill of this.#fills) {
      if (!mightSelect(sweep.selection, fill.path)) continue;
      fill.sweeps.push(sweep);
      fill.onSweep();
    }
  }

  /** The resource under a key, now the latest used. Variants by another `Vary` than the latest are dropped. */
  #resourceFor(key: string, vary: readonly string[]): Resource {
    const known = this.#resources.get(key);
    if (known !== undefined && known.vary.join() !== vary.join()) this.#drop(key, known);
    const resource = this.#resources.get(key) ?? { vary, variants: new Map() };
    this.#resources.delete(key);
    this.#resources.set(key, resource);
    return resource;
  }

  #drop(key: string, resource: Resource): void {
    for (const { bytes } of resource.variants.values()) this.#bytes -= bytes;
    this.#resources.delete(key);
  }

  /**
   * The oldest variant of a URL goes first. The response that was put last stays: it fits, and it is last in both
   * orders.
   */
  #evict(): void {
    for (const [key, { variants }] of this.#resources) {
      for (const variant of variants.keys()) {
        if (this.#bytes <= this.#maxBytes) return;
        this.remove({ key, variant });
      }
    }
  }
}
