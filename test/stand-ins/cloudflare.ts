// An account at Cloudflare with one Worker: the part of Cloudflare's API that a release, a preview and a rollback ask for.
// Which requests there are is known from wrangler 4.164; what they mean, from
// https://developers.cloudflare.com/api/resources/workers/ and https://developers.cloudflare.com/workers/previews/api/.

export const ACCOUNT_ID = "0123456789abcdef0123456789abcdef";
export const API_TOKEN = "a-token-for-the-stand-in-and-nothing-else";
export const WORKER = "process-api";
export const SCRIPT = `/workers/scripts/${WORKER}`;
export const PREVIEWS = `/workers/workers/${WORKER}/previews`;
/** The URL of the Worker, or of what is named before it: a version, a preview or one of its deployments. */
export const urlOf = (name = ""): string => `https://${name && `${name}-`}${WORKER}.example.workers.dev`;
export const labelOf = (id: string): string => id.slice(0, 8);

/** A refusal of the API, with the code that clients tell refusals apart by. */
export const refusal = (status: number, code: number, message: string) =>
  Object.assign(new Error(message), { status, code });

export interface Binding {
  name: string;
  type: string;
  /** Of a secret or a variable. */
  text?: string;
  [field: string]: unknown;
}

interface Metadata {
  main_module: string;
  compatibility_date: string;
  compatibility_flags?: string[];
  exports?: Record<string, { cache?: { enabled: boolean } }>;
  annotations?: Record<string, string | undefined>;
  assets?: { jwt: string; config: Record<string, unknown> };
  /** Of a version; and the types of bindings that it takes over from the one before. */
  bindings?: Binding[];
  keep_bindings?: string[];
  /** Of a preview: its bindings by name. */
  env?: Record<string, Omit<Binding, "name">>;
}

/** A version of the Worker, or a deployment of a preview. */
export interface Version {
  id: string;
  metadata: Metadata;
  /** All of them: none is still to be taken over. */
  bindings: Binding[];
  modules: File[];
  /** Static files in Base64, by path. */
  assets: (readonly [path: string, content: string])[];
}

export interface Deployment {
  created_on: string;
  versions: { version_id: string; percentage: number }[];
  annotations?: object;
}

interface Call {
  json: Record<string, unknown>;
  query: URLSearchParams;
  form: FormData;
  token: string;
}

/** Takes the place of a response: `after` so many requests that match. */
type Interception = { what: RegExp; after: number; respond: (request?: Request) => unknown };

export class Account {
  /** In order: `POST /workers/scripts/process-api/versions`, and parsed JSON or the metadata of an upload. */
  readonly requests: { what: string; body: unknown }[] = [];
  /** Whether there is the Worker. */
  exists = false;
  readonly versions: Version[] = [];
  /** The one in force comes first. */
  readonly deployments: Deployment[] = [];
  readonly previews: Map<string, { settings: object; ignoresBaseConfig: boolean; deployments: Version[] }> = new Map();
  /** Whether the Worker has a URL, and whether its versions and previews have. */
  urls = { enabled: false, previews_enabled: false };
  settings: object = {};
  /** Custom domains, and whose they are. */
  readonly domains: Map<string, string> = new Map();
  /** Hostnames that have DNS records of somebody's. */
  readonly dns: Set<string> = new Set();
  /** What Analytics Engine has counted, whatever it is asked. */
  counted = { requests: 0, errors: 0 };
  /** So many requests after each deployment are still served as before it. */
  lag = 0;
  #lagging = 0;
  #made = 0;
  readonly #files = new Map<string, string>();
  readonly #manifests: Record<string, { hash: string }>[] = [];
  readonly #interceptions: Interception[] = [];

  /** Has something else happen at the next request that matches, or the one `after` so many more. */
  intercept(what: RegExp, respond: Interception["respond"], after = 0): void {
    this.#interceptions.push({ what, after, respond });
  }

  refuse(what: RegExp, error: Error, after?: number): void {
    this.intercept(what, () => Promise.reject(error), after);
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams: query } = new URL(request.url);
    const what = `${request.method} ${pathname.replace(/^.*\/accounts\/[^/]+/, "")}`;
    const isForm = request.headers.get("content-type")?.startsWith("multipart/");
    const form = isForm ? await request.formData() : new FormData();
    const text = isForm ? String(form.get("metadata") ?? "") : await request.text();
    const json = /^[{[]/.test(text) ? JSON.parse(text) : { text };
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    try {
      // The upload of static files alone brings a token of its own: that of its session.
      if (token !== API_TOKEN && !what.endsWith("/assets/upload")) throw refusal(403, 10_000, "Authentication error");
      const result = await this.call(what, { json, query, form, token }, request);
      // The SQL API alone has no envelope.
      return Response.json(what.endsWith("/sql") ? result : { success: true, errors: [], messages: [], result });
    } catch (error) {
      const { status = 500, code, message } = error as ReturnType<typeof refusal>;
      return Response.json({ success: false, errors: [{ code, message }], messages: [], result: null }, { status });
    }
  }

  /** One request, without HTTP. @throws a {@link refusal} */
  async call(what: string, { json = {}, query = new URLSearchParams(), ...call }: Partial<Call>, request?: Request) {
    this.requests.push({ what, body: json });
    const index = this.#interceptions.findIndex((one) => one.what.test(what) && one.after-- === 0);
    if (index >= 0) return this.#interceptions.splice(index, 1)[0]?.respond(request);
    const needsWorker = what.includes(WORKER) && !/^PUT |assets-upload-session$/.test(what);
    if (needsWorker && !this.exists) throw refusal(404, 10_007, "This Worker does not exist on your account.");
    const [, name = ""] = /(?:versions|previews)\/([^/]+)/.exec(what) ?? [];
    const respond = this.#routes[name === "" ? what : what.replace(`/${name}`, "/:id")];
    if (respond === undefined) throw refusal(404, 7_003, `The stand-in does not know ${what}`);
    return respond({ json, query, form: new FormData(), token: "", ...call }, name);
  }

  readonly #routes: Record<string, (call: Call, name: string) => unknown> = {
    "POST /analytics_engine/sql": () => ({ data: [this.counted] }),
    "GET /workers/subdomain": () => ({ subdomain: "example" }),
    [`GET /workers/services/${WORKER}`]: () => ({
      default_environment: { environment: "production", script: { last_deployed_from: "wrangler" } },
    }),
    [`GET /workers/workers/${WORKER}`]: () => ({
      subdomain: { ...this.urls, preview_url_suffix: urlOf().replace("https://", "-") },
    }),
    [`GET ${SCRIPT}/settings`]: () => ({ bindings: [] }),
    [`PATCH ${SCRIPT}/script-settings`]: ({ json }) => Object.assign(this.settings, json),
    [`POST ${SCRIPT}/subdomain`]: ({ json }) => Object.assign(this.urls, json),
    [`PUT ${SCRIPT}/schedules`]: ({ json }) => ({ schedules: json }),

    [`PUT ${SCRIPT}`]: (call) => {
      this.exists = true;
      const { id } = this.#addVersion(call);
      this.#deploy({ versions: [{ version_id: id, percentage: 100 }] });
      return { id: WORKER, etag: id, deployment_id: id.replaceAll("-", "") };
    },
    [`POST ${SCRIPT}/versions`]: (call) => this.#describe(this.#addVersion(call)),
    [`GET ${SCRIPT}/versions/:id`]: (_, id) => this.#describe(this.#version(id)),
    [`GET ${SCRIPT}/deployments`]: () => ({ deployments: this.deployments }),
    [`POST ${SCRIPT}/deployments`]: ({ json, query }) => {
      const deployment = json as unknown as Deployment;
      const changed = deployment.versions.flatMap(({ version_id: id }) => this.#secretsChangedSince(id)).join(", ");
      if (changed === "" || query.get("force") === "true") return this.#deploy(deployment);
      throw refusal(400, 10_220, `The following secrets have changed: ${changed}`);
    },
    [`POST ${SCRIPT}/assets-upload-session`]: ({ json }) => {
      const manifest = json.manifest as Record<string, { hash: string }>;
      const hashes = new Set(Object.values(manifest).map(({ hash }) => hash));
      const missing = [...hashes].filter((hash) => !this.#files.has(hash));
      const jwt = `assets.e30.${this.#manifests.push(manifest) - 1}`;
      return { jwt, buckets: missing.length === 0 ? [] : [missing] };
    },
    "POST /workers/assets/upload": async ({ form, token: jwt }) => {
      for (const [hash, file] of form) this.#files.set(hash, typeof file === "string" ? file : await file.text());
      return { jwt };
    },

    // https://developers.cloudflare.com/workers/configuration/routing/custom-domains/; wrangler's publishCustomDomains.
    [`POST ${SCRIPT}/domains/changeset`]: ({ json }) => {
      const changes = { added: [] as object[], updated: [] as object[], conflicting: [] as object[] };
      for (const { hostname } of Object.values(json) as { hostname: string }[]) {
        const domain = this.domains.get(hostname);
        const modified = domain !== WORKER;
        if (domain !== undefined) changes.updated.push({ id: hostname, hostname, modified });
        else changes[this.dns.has(hostname) ? "conflicting" : "added"].push({ hostname });
      }
      return changes;
    },

    [`GET ${PREVIEWS}`]: ({ query }) => {
      const [size, page] = [Number(query.get("per_page")), Number(query.get("page"))];
      return [...this.previews.keys()].slice((page - 1) * size, page * size).map((name) => ({ name }));
    },
    [`POST ${PREVIEWS}`]: ({ json, query }) => {
      const ignoresBaseConfig = query.get("ignore_base_config") === "true";
      this.previews.set(String(json.name), { settings: json, ignoresBaseConfig, deployments: [] });
      return describePreview(String(json.name));
    },
    [`GET ${PREVIEWS}/:id`]: (_, name) => this.preview(name) && describePreview(name),
    [`DELETE ${PREVIEWS}/:id`]: (_, name) => this.preview(name) && this.previews.delete(name),
    [`POST ${PREVIEWS}/:id/deployments`]: (call, name) => {
      const deployment = this.#read("d", call, []);
      this.preview(name).deployments.push(deployment);
      this.#lagging = this.lag;
      return { id: deployment.id, env: call.json.env ?? {}, urls: [urlOf(labelOf(deployment.id))] };
    },
  };

  preview(name: string) {
    const preview = this.previews.get(name);
    if (preview === undefined) throw refusal(404, 10_025, "The requested Preview could not be found.");
    return preview;
  }

  /** What serves the next request to a hostname, which may ask for a version; undefined: nothing does. */
  serving(hostname: string, override: string | undefined): Version | undefined {
    const isAt = (name?: string) => `https://${hostname}` === urlOf(name);
    if (this.domains.get(hostname) === WORKER) return this.#next(override);
    if (isAt() && this.urls.enabled) return this.#next(override);
    if (!this.urls.previews_enabled) return undefined;
    for (const [name, { deployments }] of this.previews) {
      if (isAt(name)) return deployments.at(this.#isLate(deployments) ? -2 : -1);
    }
    const deployments = [...this.previews.values()].flatMap((preview) => preview.deployments);
    return [...this.versions, ...deployments].find(({ id }) => isAt(labelOf(id)));
  }

  /** https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/ */
  #next(override: string | undefined): Version | undefined {
    const { versions = [] } = this.deployments[this.#isLate(this.deployments) ? 1 : 0] ?? {};
    const ids = versions.map(({ version_id }) => version_id).sort();
    // Who asks for none of those that share the traffic is given the oldest, never the one that is to be tried.
    const id = ids.find((one) => one === override) ?? ids[0];
    return this.versions.find((version) => version.id === id);
  }

  readonly #isLate = ({ length }: { length: number }): boolean => length > 1 && this.#lagging-- > 0;

  #version(id: string): Version {
    const version = this.versions.find((known) => known.id === id);
    if (version === undefined) throw refusal(404, 10_206, "The requested Worker version could not be found.");
    return version;
  }

  #deploy({ versions, annotations = {} }: Omit<Deployment, "created_on">): Deployment {
    const created_on = new Date(Date.UTC(2026, 0) + ++this.#made * 1_000).toISOString();
    this.deployments.unshift({ created_on, versions, annotations });
    this.#lagging = this.lag;
    return { created_on, versions, annotations };
  }

  #addVersion(call: Call): Version {
    const version = this.#read("a", call, this.versions.at(-1)?.bindings ?? []);
    this.versions.push(version);
    return version;
  }

  #read(kind: string, { json, form }: Call, before: readonly Binding[]): Version {
    const metadata = json as unknown as Metadata;
    const { env = {}, keep_bindings = [] } = metadata;
    const own = metadata.bindings ?? Object.entries(env).map(([name, binding]) => ({ ...binding, name }) as Binding);
    const isKept = ({ name, type }: Binding) => keep_bindings.includes(type) && !own.some((one) => one.name === name);
    // A version names its parts after the modules; a preview's deployment calls each of them `files`.
    const parts = [...form].filter((part): part is [string, File] => typeof part[1] !== "string");
    const modules = parts.map(([field, file]) => new File([file], field === "files" ? file.name : field, file));
    const manifest = this.#manifests[Number(metadata.assets?.jwt.split(".").at(-1))] ?? {};
    const assets = Object.entries(manifest).map(([path, { hash }]) => [path, String(this.#files.get(hash))] as const);
    const id = `${kind}${String(++this.#made).padStart(7, "0")}-0000-4000-8000-000000000000`;
    return { id, metadata, modules, assets, bindings: [...own, ...before.filter(isKept)] };
  }

  #secretsChangedSince(id: string): string[] {
    const before = secretsOf(this.#version(id));
    const latest = Object.entries(secretsOf(this.versions.at(-1) ?? this.#version(id)));
    return latest.flatMap(([name, text]) => (before[name] === text ? [] : [name]));
  }

  #describe({ id, metadata }: Version): object {
    const { annotations, compatibility_date } = metadata;
    const resources = { bindings: [], script: { etag: id }, script_runtime: { compatibility_date } };
    const { previews_enabled: has_preview } = this.urls;
    return { id, metadata: { created_on: "2026-01-01T00:00:00Z", has_preview }, annotations, resources };
  }
}

const describePreview = (name: string): object => ({ id: name, name, slug: name, urls: [urlOf(name)] });

export const secretsOf = ({ bindings }: Version): Record<string, string | undefined> =>
  Object.fromEntries(bindings.flatMap(({ name, type, text }) => (type === "secret_text" ? [[name, text]] : [])));
