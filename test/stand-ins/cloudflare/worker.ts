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
