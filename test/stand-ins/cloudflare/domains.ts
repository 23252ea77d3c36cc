// Custom domains: https://developers.cloudflare.com/workers/configuration/routing/custom-domains/. The requests are those of
// wrangler 4.164, publishCustomDomains.
import { randomBytes } from "node:crypto";
import { ApiError } from "./upload.ts";

interface Domain {
  id: string;
  hostname: string;
  /** The name of the Worker. */
  service: string;
  /** So many requests come to nothing before DNS and the certificate are there. */
  pending: number;
}

interface Origins {
  origins: { hostname: string }[];
  override_existing_origin: boolean;
  override_existing_dns_record: boolean;
}

export class Domains {
  /** Hostnames that have DNS records of somebody's. */
  readonly dns: Set<string> = new Set();
  readonly all: Map<string, Domain> = new Map();
  /** How many requests to a new name come to nothing. */
  delay = 0;

  changeset(worker: string, origins: readonly { hostname: string }[]): object {
    const known = origins.flatMap(({ hostname }) => this.all.get(hostname) ?? []);
    const isNew = ({ hostname }: { hostname: string }) => !this.all.has(hostname);
    return {
      added: origins.filter((one) => isNew(one) && !this.dns.has(one.hostname)),
      removed: [],
      updated: known.map(({ id, hostname, service }) => ({ id, hostname, modified: service !== worker })),
      conflicting: origins.filter((one) => isNew(one) && this.dns.has(one.hostname)),
    };
  }

  put(worker: string, { origins, ...overrides }: Origins): object {
    for (const { hostname } of origins) {
      const known = this.all.get(hostname);
      if (this.dns.has(hostname) && !overrides.override_existing_dns_record) throw new ApiError(409, 100_117, "DNS");
      if (known !== undefined && known.service !== worker && !overrides.override_existing_origin) {
        throw new ApiError(409, 100_116, "Origin");
      }
      this.dns.delete(hostname);
      const made = { id: randomBytes(16).toString("hex"), hostname, pending: this.delay };
      this.all.set(hostname, { ...(known ?? made), service: worker });
    }
    return {};
  }

  record(id: string): Domain {
    const domain = [...this.all.values()].find((known) => known.id === id);
    if (domain === undefined) throw new ApiError(404, 100_114, "Domain not found");
    return domain;
  }

  /** The name of the Worker that answers the next request to a hostname. */
  serviceOf(hostname: string): string | undefined {
    const domain = this.all.get(hostname);
    return domain === undefined || domain.pending-- > 0 ? undefined : domain.service;
  }
}
