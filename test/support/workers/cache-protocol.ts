// The messages between the tests of the cache and their fixture, test/support/workers/cache.ts. All of it is JSON.

/** How a scripted entrypoint answers. By default: 200 with the path and the number of the call as its body. */
export interface Reply {
  status?: number;
  /** A list of pairs for headers that occur more than once. */
  headers?: Record<string, string> | [string, string][];
  body?: string;
  /** The body in pieces, as a stream; it stops at a gate until that is open. */
  chunks?: (string | { gate: string })[];
  /** The stream breaks off after its chunks. */
  breaks?: true;
  /** Answers 304 if the request's If-None-Match is the reply's ETag. */
  validates?: true;
  /** Answers 304 to every conditional request, with these headers. */
  notModified?: Record<string, string>;
  /** Throws an error with this message. */
  throws?: string;
  /** Answers only after I/O of its own, so that others have to wait. */
  takesTime?: true;
  /** Answers only when this gate is open. */
  gate?: string;
  /** The body is encoded already, and given in base64. */
  encoded?: true;
}

/** A request to an entrypoint, with exactly these headers. */
export interface RequestSpec {
  path: string;
  entrypoint?: EntrypointName;
  host?: string;
  method?: string;
  headers?: Record<string, string>;
  props?: unknown;
  /** Props that JSON cannot carry to the fixture. */
  oddProps?: "map" | "other-map";
  cf?: Record<string, unknown>;
}

export type EntrypointName = "Fixture" | "Twin" | "Versioned" | "Impatient" | "Small" | "Limited";

/** A response as the caller of the entrypoint sees it. */
export interface Seen {
  status: number;
  headers: Record<string, string>;
  body: string;
  isWebSocket: boolean;
}

/** A call that reached an entrypoint. */
export interface Call {
  method: string;
  path: string;
  headers: Record<string, string>;
}

export interface PurgeSpec {
  tags?: string[];
  pathPrefixes?: string[];
  purgeEverything?: boolean;
}

export interface PurgeOutcome {
  success: boolean;
  errors: { code: number; message: string }[];
}

export type Command =
  | { do: "request"; request: RequestSpec }
  /** Puts an entrypoint behind a cache; answers with what is thrown, or "wrapped". */
  | { do: "wrap"; options: Record<string, number>; hasFetch: boolean }
  /** So many equal requests at once; answers with how often each Cf-Cache-Status, or error, came back. */
  | { do: "burst"; request: RequestSpec; times: number }
  /** A request whose client leaves when it, and so many before it, have reached a cache. */
  | { do: "leave"; request: RequestSpec; arrivals: number }
  /** Replies for a path, the next one first. The last one stays. */
  | { do: "script"; path: string; replies: Reply[] }
  /** Moves the clock on. */
  | { do: "pass"; ms: number }
  | { do: "calls"; path: string }
  /** Waits until so many requests for a path have reached a cache, or an entrypoint. */
  | { do: "await"; path: string; arrivals?: number; calls?: number }
  /** Waits until no entrypoint has work going on after its answers. */
  | { do: "settle" }
  | { do: "open"; gate: string }
  | { do: "purge" | "invalidate"; entrypoint: EntrypointName; props: unknown; options: PurgeSpec }
  | { do: "rpc" }
  /** Has every purge refused with this error, or none. */
  | { do: "refuse"; error: { code: number; message: string } | null }
  | { do: "deploy"; version: string }
  /** Carries out commands one after the other; answers with their answers, or `{ error }` for one that failed. */
  | { do: "all"; commands: Command[] };
