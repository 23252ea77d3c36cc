// The state of one Worker in an account: versions, deployments and previews.
import { randomBytes, randomUUID } from "node:crypto";
import { ApiError, type Binding, secretsOf, type Upload } from "./upload.ts";

export interface Version {
  id: string;
  number: number;
  upload: Upload;
  createdAt: string;
}

export interface Deployment {
  id: string;
  createdAt: string;
  message: string | undefined;
  versions: { version_id: string; percentage: number }[];
}

export interface PreviewDeployment {
  id: string;
  upload: Upload;
  createdAt: string;
}

export interface Preview {
  id: string;
  name: string;
  /** The name's part in URLs. */
  slug: string;
  settings: object;
  ignoresBaseConfig: boolean;
  deployments: PreviewDeployment[];
}

/** What answers a hostname. */
export interface Serving {
  /** Of the version, or of the deployment of a preview. */
  id: string;
  /** The name of the Worker. */
  worker: string;
  upload: Upload;
}

/** @see https://developers.cloudflare.com/api/resources/workers/ */
export class Worker {
  readonly name: string;
  readonly tag: string = randomBytes(16).toString("hex");
  readonly versions: Version[] = [];
  /** The one in force comes first. */
  readonly deployments: Deployment[] = [];
  readonly previews: Map<string, Preview> = new Map();
  /** Settings that belong to no version: observability, tags and the like. */
  scriptSettings: object = {};
  schedules: object[] = [];
  hasUrl = false;
  hasPreviewUrls = false;
  /** So many requests after each deployment are still answered as before it. */
  lag = 0;
  #lagging = 0;
  #requests = 0;

  constructor(name: string) {
    this.name = name;
  }

  get latestBindings(): Binding[] {
    return this.versions.at(-1)?.upload.bindings ?? [];
  }

  addVersion(upload: Upload): Version {
    const version = { id: randomUUID(), number: this.versions.length + 1, upload, createdAt: now() };
    this.versions.push(version);
    return version;
  }

  version(id: string): Version {
    const version = this.versions.find((known) => known.id === id);
    if (version === undefined) throw new ApiError(404, 10_206, "The requested Worker version could not be found.");
    return version;
  }

  /**
   * Gives versions the traffic.
   *
   * @param isForced whether to go back although secrets have changed since
   * @see https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/deployments/
   */
  deploy(versions: Deployment["versions"], message: string | undefined, isForced: boolean): Deployment {
    const total = versions.reduce((sum, { percentage }) => sum + percentage, 0);
    if (total !== 100) throw new ApiError(400, 10_021, "The percentages must sum to 100.");
    for (const { version_id } of versions) {
      const changed = this.#secretsChangedSince(this.version(version_id));
      if (changed.length > 0 && !isForced) {
        const list = changed.join(", ");
        throw new ApiError(400, 10_220, `The following secrets have changed: ${list}`);
      }
    }
    const deployment = { id: randomUUID(), createdAt: now(), message, versions };
    this.deployments.unshift(deployment);
    this.#lagging = this.lag;
    return deployment;
  }

  /**
   * The version that answers the next request at a production URL.
   *
   * @param override the id of the version that the request asks for
   * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/
   */
  next(override: string | undefined): Version | undefined {
    const isLate = this.#lagging > 0 && this.deployments.length > 1;
    if (isLate) this.#lagging--;
    const versions = this.deployments[isLate ? 1 : 0]?.versions ?? [];
    const chosen = versions.find(({ version_id }) => version_id === override);
    if (chosen !== undefined) return this.version(chosen.version_id);
    // Evenly: 37 and 100 have no common divisor.
    let share = (this.#requests++ * 37) % 100;
    for (const { version_id, percentage } of versions) {
      if (share < percentage) return this.version(version_id);
      share -= percentage;
    }
    return undefined;
  }

  /** The deployment that answers the next request at the URL of a preview. */
  nextOf({ deployments }: Preview): PreviewDeployment | undefined {
    const isLate = this.#lagging > 0 && deployments.length > 1;
    if (isLate) this.#lagging--;
    return deployments.at(isLate ? -2 : -1);
  }

  addPreviewDeployment(preview: Preview, upload: Upload): PreviewDeployment {
    const deployment = { id: randomUUID(), upload, createdAt: now() };
    preview.deployments.push(deployment);
    this.#lagging = this.lag;
    return deployment;
  }

  #secretsChangedSince(version: Version): string[] {
    const latest = this.versions.at(-1);
    if (latest === undefined || latest === version) return [];
    const before = secretsOf(version.upload);
    return Object.entries(secretsOf(latest.upload)).flatMap(([name, text]) => (before[name] === text ? [] : [name]));
  }

  /** By name, slug or id. */
  preview(identifier: string): Preview {
    for (const preview of this.previews.values()) {
      if ([preview.name, preview.slug, preview.id].includes(identifier)) return preview;
    }
    throw new ApiError(404, 10_025, "The requested Preview could not be found.");
  }

  addPreview(name: string, settings: object, ignoresBaseConfig: boolean): Preview {
    const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    const id = randomBytes(16).toString("hex");
    const preview = { id, name, slug, settings, ignoresBaseConfig, deployments: [] };
    this.previews.set(name, preview);
    return preview;
  }
}

export const now = (): string => new Date().toISOString();
