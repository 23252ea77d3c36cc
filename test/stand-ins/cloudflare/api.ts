// Cloudflare's API on loopback, as far as wrangler asks it to deploy, preview and roll back one Worker.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { AssetStore } from "./assets.ts";
import { Domains } from "./domains.ts";
import { ApiError, type Binding, readUpload } from "./upload.ts";
import { type Deployment, type Preview, type PreviewDeployment, type Serving, type Version, Worker } from "./worker.ts";

export const ACCOUNT_ID = "0123456789abcdef0123456789abcdef";
export const API_TOKEN = "a-token-for-the-stand-in-and-nothing-else";
/** The subdomain of workers.dev. */
const SUBDOMAIN = "example";

/** One request, as it arrived. */
export interface ApiRequest {
  /** `POST /workers/scripts/process-api/versions`: below the account, without the query. */
  what: string;
  query: URLSearchParams;
  /** Parsed JSON, or the metadata of an upload. */
  body: unknown;
}

export interface CloudflareStandIn {
  /** For `CLOUDFLARE_API_BASE_URL`. */
  url: string;
  /** All that was asked, in order. */
  requests: ApiRequest[];
  workers: Map<string, Worker>;
  domains: Domains;
  /** What Analytics Engine has counted, whatever it is asked. */
  counted: { requests: number; errors: number };
  /** Refuses the next of the requests whose {@link ApiRequest.what} matches, or the one `after` so many more. */
  refuse(what: RegExp, error: ApiError, after?: number): void;
  /** Never answers the next request whose {@link ApiRequest.what} matches. @returns when it is there */
  hold(what: RegExp): Promise<HeldRequest>;
  /**
   * What answers the next request to a hostname.
   *
   * @param override the version that it asks for
   */
  serving(hostname: string, override?: string): Serving | undefined;
  close(): Promise<void>;
}

export interface HeldRequest {
  /** Who asked has hung up. */
  gone: Promise<unknown>;
}

type Handler = (call: Call) => unknown;

interface Call {
  /** The token of the session, for uploads of assets. */
  token: string;
  /** The name of the Worker in the path. */
  worker: string;
  /** The other name in the path. */
  id: string;
  query: URLSearchParams;
  json: Record<string, unknown>;
  form: FormData | undefined;
}

/**
 * Starts it on 127.0.0.1, with an empty account.
 *
 * Which requests there are is known from wrangler 4.164's source; what they mean and answer from
 * https://developers.cloudflare.com/api/resources/workers/ and https://developers.cloudflare.com/workers/previews/api/.
 */
export async function startCloudflare(): Promise<CloudflareStandIn> {
  const workers = new Map<string, Worker>();
  const requests: ApiRequest[] = [];
  const refusals: { what: RegExp; error: ApiError; after: number }[] = [];
  const holds: { what: RegExp; reached(held: HeldRequest): void }[] = [];
  const domains = new Domains();
  const routes = routesOf(workers, domains);
  const counted = { requests: 0, errors: 0 };

  async function answer(request: IncomingMessage): Promise<unknown> {
    const url = new URL(String(request.url), "http://localhost");
    const path = url.pathname.replace(`/accounts/${ACCOUNT_ID}`, "");
    const what = `${request.method} ${path}`;
    const { json, form } = await readBody(request);
    requests.push({ what, query: url.searchParams, body: form ? metadataOf(form) : json });
    const token = String(request.headers.authorization).replace(/^Bearer /, "");
    if (token !== API_TOKEN && what !== ASSET_UPLOAD) throw new ApiError(403, 10_000, "Authentication error");
    const held = holds.findIndex((known) => known.what.test(what));
    if (held >= 0) {
      holds.splice(held, 1)[0]?.reached({ gone: once(request.socket, "close") });
      return new Promise(() => {});
    }
    const refused = refusals.findIndex((known) => known.what.test(what) && known.after-- === 0);
    if (refused >= 0) throw refusals.splice(refused, 1)[0]?.error;
    if (what === SQL) return { data: [counted] };
    for (const [pattern, handler] of routes) {
      const match = pattern.exec(what);
      if (match === null) continue;
      const [worker = "", id = ""] = match.slice(1).map(decodeURIComponent);
      return handler({ token, worker, id, query: url.searchParams, json, form });
    }
    throw new ApiError(404, 7_003, `The stand-in does not know ${what}`);
  }

  const server = createServer((request, response) => {
    const send = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    answer(request).then(
      (result) =>
        // The SQL API alone has no envelope.
        send(
          200,
          request.url?.endsWith("/sql") ? (result as object) : { success: true, errors: [], messages: [], result },
        ),
      (error: Error) => {
        const { status, code } = error instanceof ApiError ? error : { status: 500, code: 10_013 };
        send(status, { success: false, errors: [{ code, message: error.message }], messages: [], result: null });
      },
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The stand-in has no TCP address");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    workers,
    domains,
    counted,
    refuse: (what, error, after = 0) => refusals.push({ what, error, after }),
    hold: (what) => new Promise((reached) => holds.push({ what, reached })),
    serving: (hostname, override) => servingOf(workers, domains, hostname, override),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Pick<Call, "json" | "form">> {
  const body = await buffer(request);
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) {
    return { json: {}, form: await new Response(body, { headers: { "content-type": type } }).formData() };
  }
  if (type.startsWith("text/plain")) return { json: { text: body.toString() }, form: undefined };
  return { json: body.length === 0 ? {} : JSON.parse(body.toString()), form: undefined };
}

const metadataOf = (form: FormData): unknown => JSON.parse(String(form.get("metadata") ?? "null"));

/** The one request that brings a token of its own: that of its session. */
const ASSET_UPLOAD = "POST /workers/assets/upload";
/** https://developers.cloudflare.com/analytics/analytics-engine/sql-api/ (read 2026-11-25) */
const SQL = "POST /analytics_engine/sql";

function routesOf(workers: Map<string, Worker>, domains: Domains): [RegExp, Handler][] {
  const assets = new AssetStore();
  const find = (name: string): Worker => {
    const worker = workers.get(name);
    if (worker === undefined) throw new ApiError(404, 10_007, "This Worker does not exist on your account.");
    return worker;
  };
  const create = (name: string): Worker => {
    const worker = workers.get(name) ?? new Worker(name);
    workers.set(name, worker);
    return worker;
  };
  const read = ({ form }: Call, before: readonly Binding[]) => {
    if (form === undefined) throw new ApiError(400, 10_001, "Expected multipart/form-data");
    return readUpload(form, before, (jwt) => assets.filesOf(jwt));
  };
  const upload = async (call: Call) => {
    const worker = find(call.worker);
    return worker.addVersion(await read(call, worker.latestBindings));
  };
  const script = "/workers/scripts/([^/]+)";
  const preview = "/workers/workers/([^/]+)/previews";
  const table: Record<string, Handler> = {
    "GET /workers/subdomain": () => ({ subdomain: SUBDOMAIN }),
    "GET /workers/services/([^/]+)": ({ worker }) => {
      const { tag } = find(worker);
      const details = { id: worker, tag, tags: [], last_deployed_from: "wrangler" };
      return { id: worker, default_environment: { environment: "production", script: details } };
    },
    "POST /workers/workers": ({ json }) => {
      const worker = create(String(json.name));
      setSubdomain(worker, json.subdomain as Record<string, unknown>);
      return describeWorker(worker);
    },
    "GET /workers/workers/([^/]+)": ({ worker }) => describeWorker(find(worker)),

    [`PUT ${script}`]: async (call) => {
      create(call.worker);
      const version = await upload(call);
      find(call.worker).deploy([{ version_id: version.id, percentage: 100 }], undefined, false);
      return { id: call.worker, etag: version.id, deployment_id: version.id.replaceAll("-", ""), startup_time_ms: 20 };
    },
    [`POST ${script}/versions`]: async (call) => describeVersion(await upload(call), find(call.worker)),
    [`GET ${script}/versions`]: ({ worker }) => {
      const found = find(worker);
      return { items: found.versions.map((version) => describeVersion(version, found)).reverse() };
    },
    [`GET ${script}/versions/([^/]+)`]: ({ worker, id }) => describeVersion(find(worker).version(id), find(worker)),
    [`GET ${script}/deployments`]: ({ worker }) => ({ deployments: find(worker).deployments.map(describeDeployment) }),
    [`POST ${script}/deployments`]: ({ worker, json, query }) => {
      const { versions, annotations } = json as Pick<Deployment, "versions"> & { annotations?: Record<string, string> };
      const isForced = query.get("force") === "true";
      return describeDeployment(find(worker).deploy(versions, annotations?.["workers/message"], isForced));
    },
    [`GET ${script}/settings`]: ({ worker }) => ({ bindings: find(worker).latestBindings.map(withoutSecret) }),
    [`GET ${script}/secrets`]: ({ worker }) =>
      find(worker).latestBindings.flatMap(({ name, type }) => (type === "secret_text" ? [{ name, type }] : [])),
    [`PATCH ${script}/script-settings`]: ({ worker, json }) => Object.assign(find(worker).scriptSettings, json),
    [`POST ${script}/subdomain`]: ({ worker, json }) => setSubdomain(find(worker), json),
    [`PUT ${script}/schedules`]: ({ worker, json }) => {
      find(worker).schedules = json as unknown as object[];
      return { schedules: find(worker).schedules };
    },
    [`POST ${script}/assets-upload-session`]: ({ json }) =>
      assets.begin(json.manifest as Parameters<AssetStore["begin"]>[0]),
    [ASSET_UPLOAD]: ({ token, form }) => assets.receive(token, form ?? new FormData()),

    [`POST ${script}/domains/changeset`]: ({ worker, json }) => domains.changeset(worker, json as never),
    [`PUT ${script}/domains/records`]: ({ worker, json }) => domains.put(worker, json as never),
    "GET /workers/domains/records/([^/]+)": ({ worker: id }) => domains.record(id),

    [`GET ${preview}`]: ({ worker, query }) => {
      const size = Number(query.get("per_page"));
      const from = (Number(query.get("page")) - 1) * size;
      const all = [...find(worker).previews.values()].map((one) => describePreview(one, find(worker)));
      return all.slice(from, from + size);
    },
    [`POST ${preview}`]: ({ worker, json, query }) => {
      const { name, ...settings } = json;
      const ignoresBaseConfig = query.get("ignore_base_config") === "true";
      return describePreview(find(worker).addPreview(String(name), settings, ignoresBaseConfig), find(worker));
    },
    [`GET ${preview}/([^/]+)`]: ({ worker, id }) => describePreview(find(worker).preview(id), find(worker)),
    [`PATCH ${preview}/([^/]+)`]: ({ worker, id, json }) => {
      const found = find(worker).preview(id);
      Object.assign(found.settings, json);
      return describePreview(found, find(worker));
    },
    [`DELETE ${preview}/([^/]+)`]: ({ worker, id }) => {
      find(worker).previews.delete(find(worker).preview(id).name);
      return {};
    },
    [`GET ${preview}/([^/]+)/deployments/latest`]: ({ worker, id }) => {
      const latest = find(worker).preview(id).deployments.at(-1);
      if (latest === undefined) throw new ApiError(404, 10_222, "This Preview has no deployments.");
      return describePreviewDeployment(latest, worker);
    },
    [`POST ${preview}/([^/]+)/deployments`]: async (call) => {
      const { worker, id } = call;
      const preview = find(worker).preview(id);
      const before = preview.deployments.at(-1)?.upload.bindings ?? [];
      const deployment = find(worker).addPreviewDeployment(preview, await read(call, before));
      return describePreviewDeployment(deployment, worker);
    },
  };
  return Object.entries(table).map(([what, handler]) => [new RegExp(`^${what}$`), handler]);
}

const host = (label: string): string => `${label}.${SUBDOMAIN}.workers.dev`;
const shortId = (id: string): string => id.slice(0, 8);

function setSubdomain(worker: Worker, wanted: Record<string, unknown>): object {
  worker.hasUrl = wanted.enabled === true;
  worker.hasPreviewUrls = (wanted.previews_enabled ?? wanted.enabled) === true;
  return { enabled: worker.hasUrl, previews_enabled: worker.hasPreviewUrls };
}

function describeWorker({ name, tag, hasUrl, hasPreviewUrls }: Worker): object {
  const suffix = `-${host(name)}`;
  const urls = { url: `https://${host(name)}`, preview_url_suffix: suffix };
  return { id: tag, name, subdomain: { enabled: hasUrl, previews_enabled: hasPreviewUrls, ...urls } };
}

function describeVersion({ id, number, createdAt, upload }: Version, worker: Worker): object {
  const metadata = {
    created_on: createdAt,
    modified_on: createdAt,
    source: "wrangler",
    has_preview: worker.hasPreviewUrls,
  };
  const bindings = upload.bindings.map(withoutSecret);
  const { annotations } = upload.metadata;
  const { compatibility_date, limits } = upload.metadata;
  const resources = { bindings, script: { etag: id }, script_runtime: { compatibility_date, limits } };
  return { id, number, metadata, annotations, startup_time_ms: 20, resources };
}

const describeDeployment = ({ id, createdAt, message, versions }: Deployment): object => ({
  id,
  source: "wrangler",
  strategy: "percentage",
  author_email: "",
  created_on: createdAt,
  annotations: { "workers/message": message },
  versions,
});

function describePreview({ id, name, slug, settings }: Preview, worker: Worker): object {
  const urls = worker.hasPreviewUrls ? [`https://${host(`${slug}-${worker.name}`)}`] : [];
  return { id, name, slug, ...settings, urls };
}

function describePreviewDeployment({ id, upload, createdAt }: PreviewDeployment, workerName: string): object {
  const env = Object.fromEntries(upload.bindings.map(({ name, ...binding }) => [name, withoutSecret(binding)]));
  const urls = [`https://${host(`${shortId(id)}-${workerName}`)}`];
  return { id, number: 1, env, created_on: createdAt, source: "wrangler", urls };
}

/** The API never gives a secret back. */
function withoutSecret<T extends { type: string; text?: string }>(binding: T): Omit<T, "text"> | T {
  if (binding.type !== "secret_text") return binding;
  const { text: _, ...rest } = binding;
  return rest;
}

function servingOf(
  workers: Map<string, Worker>,
  domains: Domains,
  hostname: string,
  override: string | undefined,
): Serving | undefined {
  const owner = workers.get(domains.serviceOf(hostname) ?? "");
  if (owner !== undefined) return served(owner, owner.next(override));
  for (const worker of workers.values()) {
    if (worker.hasUrl && hostname === host(worker.name)) return served(worker, worker.next(override));
    if (!worker.hasPreviewUrls) continue;
    const isNamed = (label: string) => hostname === host(`${label}-${worker.name}`);
    const version = worker.versions.find(({ id }) => isNamed(shortId(id)));
    if (version !== undefined) return served(worker, version);
    for (const preview of worker.previews.values()) {
      if (isNamed(preview.slug)) return served(worker, worker.nextOf(preview));
      const deployment = preview.deployments.find(({ id }) => isNamed(shortId(id)));
      if (deployment !== undefined) return served(worker, deployment);
    }
  }
  return undefined;
}

const served = ({ name: worker }: Worker, one: Version | PreviewDeployment | undefined): Serving | undefined =>
  one && { id: one.id, worker, upload: one.upload };
