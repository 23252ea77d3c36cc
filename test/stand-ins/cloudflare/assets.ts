// Static files, uploaded in sessions: https://developers.cloudflare.com/workers/static-assets/direct-upload/
import { ApiError } from "./upload.ts";

/** By path. */
type Manifest = Record<string, { hash: string; size: number }>;

const PREFIX = "assets.e30.";

export class AssetStore {
  /** By hash, for all sessions: what is there need not be sent again. */
  readonly #contents = new Map<string, Buffer>();
  readonly #manifests = new Map<string, Manifest>();

  /** @returns the token of the session, and the hashes of what is not there yet */
  begin(manifest: Manifest): { jwt: string; buckets: string[][] } {
    const jwt = PREFIX + this.#manifests.size;
    this.#manifests.set(jwt, manifest);
    const missing = hashesOf(manifest).filter((hash) => !this.#contents.has(hash));
    return { jwt, buckets: missing.length === 0 ? [] : [missing] };
  }

  /** @returns the token for the deployment, once all files of the session are there */
  async receive(jwt: string, form: FormData): Promise<{ jwt?: string }> {
    for (const [hash, part] of form) {
      const text = typeof part === "string" ? part : await part.text();
      this.#contents.set(hash, Buffer.from(text, "base64"));
    }
    const isComplete = hashesOf(this.#manifestOf(jwt)).every((hash) => this.#contents.has(hash));
    return isComplete ? { jwt } : {};
  }

  filesOf(jwt: string): ReadonlyMap<string, Buffer> {
    const files = Object.entries(this.#manifestOf(jwt));
    return new Map(files.map(([path, { hash }]) => [path, this.#contents.get(hash) ?? Buffer.alloc(0)]));
  }

  #manifestOf(jwt: string): Manifest {
    const manifest = this.#manifests.get(jwt);
    if (manifest === undefined) throw new ApiError(403, 10_000, "Authentication error");
    return manifest;
  }
}

const hashesOf = (manifest: Manifest): string[] => [...new Set(Object.values(manifest).map(({ hash }) => hash))];
