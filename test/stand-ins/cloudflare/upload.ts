// Reads wrangler's uploads: modules and the metadata that says how to run them.

/** As Cloudflare's API writes one; `inherit` stands for the binding of that name in the version before. */
export interface Binding {
  name: string;
  type: string;
  /** The text of `secret_text` and `plain_text`. */
  text?: string;
  /** The namespace of `ratelimit`. */
  namespace_id?: string;
  /** The dataset of `analytics_engine`. */
  dataset?: string;
  simple?: { limit: number; period: 10 | 60 };
}

/** How the runtime is to treat an export of the main module. */
export interface WorkerExport {
  type: string;
  cache?: { enabled: boolean };
}

interface CacheOptions {
  enabled: boolean;
  cross_version_cache?: boolean;
}

/** How static files are to be served. */
export interface AssetsConfig {
  html_handling?: string;
  not_found_handling?: string;
  run_worker_first?: boolean | string[];
  /** Content of the files of that name. Those of a preview come as modules. */
  _headers?: string;
  _redirects?: string;
}

interface Metadata {
  main_module: string;
  compatibility_date: string;
  compatibility_flags?: string[];
  exports?: Record<string, WorkerExport>;
  /** A version's name for it, and a preview's. */
  cache_options?: CacheOptions;
  cache?: CacheOptions;
  limits?: object;
  placement?: object | null;
  annotations?: Record<string, string>;
  assets?: { jwt: string; config: AssetsConfig };
  /** In a version's upload. */
  bindings?: Binding[];
  /** In a version's upload: types of bindings that the version before hands on. */
  keep_bindings?: string[];
  /** In a preview's upload, by name. */
  env?: Record<string, Omit<Binding, "name">>;
}

export interface Module {
  name: string;
  contentType: string;
  content: Buffer;
}

/** One version of a Worker or deployment of a preview, complete: nothing in it is to be inherited. */
export interface Upload {
  metadata: Metadata;
  modules: Module[];
  bindings: Binding[];
  /** Static files by path. */
  assets: ReadonlyMap<string, Buffer>;
}

const SECRET = "secret_text";

/**
 * @param before bindings of the version before
 * @param assetsOf the static files of a session, by the token that it ended with
 * @throws ApiError of the documented code when a binding is to be inherited that nobody has
 */
export async function readUpload(
  form: FormData,
  before: readonly Binding[],
  assetsOf: (jwt: string) => ReadonlyMap<string, Buffer>,
): Promise<Upload> {
  const metadata: Metadata = JSON.parse(String(form.get("metadata")));
  const modules: Module[] = [];
  for (const [field, part] of form) {
    if (typeof part === "string") continue;
    // A version names its parts after the modules; a preview's deployment calls each of them `files`.
    const name = field === "files" ? part.name : field;
    modules.push({ name, contentType: part.type, content: Buffer.from(await part.arrayBuffer()) });
  }
  const assets = metadata.assets === undefined ? new Map() : assetsOf(metadata.assets.jwt);
  return { metadata, modules, bindings: resolveBindings(metadata, before), assets };
}

function resolveBindings(metadata: Metadata, before: readonly Binding[]): Binding[] {
  const asked: Binding[] =
    metadata.bindings ?? Object.entries(metadata.env ?? {}).map(([name, binding]) => ({ name, ...binding }));
  const resolved = asked.map((binding) => {
    if (binding.type !== "inherit") return binding;
    const inherited = before.find(({ name }) => name === binding.name);
    if (inherited === undefined) throw new ApiError(400, 10057, `inherit binding '${binding.name}' is invalid`);
    return inherited;
  });
  const kept = before.filter(
    ({ name, type }) => metadata.keep_bindings?.includes(type) && !resolved.some((binding) => binding.name === name),
  );
  return [...resolved, ...kept];
}

/** Secrets, which must never be seen again once they are uploaded. */
export const secretsOf = ({ bindings }: Upload): Record<string, string | undefined> =>
  Object.fromEntries(bindings.filter(({ type }) => type === SECRET).map(({ name, text }) => [name, text]));

/** A refusal, with the code that clients tell refusals apart by. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
