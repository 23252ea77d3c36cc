// Neon's API on loopback: one project, whose branches are embedded Postgres servers with Neon endpoints of their own.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { type NeonEndpoint, startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import type { EmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { CLOCK_HEADER } from "./headers.ts";
import { preparePostgres } from "./postgres.ts";

export const NEON_API_KEY = "a-neon-key-for-the-stand-in-and-nothing-else";
export const NEON_PROJECT_ID = "still-lake-12345678";
/** The role's password, in every branch. */
export const NEON_PASSWORD = "npg_a1b2c3d4e5f6";

export interface NeonRequest {
  /** `PATCH /branches/br-…`: below the project, without the query. */
  what: string;
  query: URLSearchParams;
  body: unknown;
}

export interface Branch {
  id: string;
  name: string;
  isDefault: boolean;
  expiresAt: string | undefined;
  /** The id of its compute. */
  endpointId: string;
  postgres: EmbeddedPostgres;
  endpoint: NeonEndpoint;
}

export interface NeonStandIn {
  /** For NEON_API_URL. */
  url: string;
  requests: NeonRequest[];
  /** Those that came before the time of `Retry-After` was over. */
  hurried: string[];
  branches: Branch[];
  /** For as many requests that change something, another change is under way. */
  lockFor(requests: number): void;
  /** The next request whose {@link NeonRequest.what} matches is refused. */
  refuse(what: RegExp, status: number, message: string, retryAfterSeconds?: number): void;
  /** As many as the plan allows. Deleted branches that can be recovered count. */
  maxBranches: number;
  /** From now on a password is wrong. */
  revoke(connectionString: string): void;
  /** Finds the branch of a connection string, pooled or direct. */
  endpointOf(connectionString: string): string | undefined;
  close(): Promise<void>;
}

const REGION = "us-east-2.aws.neon.tech";
const DATABASE = "postgres";
const ROLE = "neondb_owner";
/** How often an operation is asked for before it has ended. */
const POLLS = 1;

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, message: string, code = "", retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Starts it on 127.0.0.1 with one branch, `main`. Unlike Neon's, a branch begins empty, and not as a copy of its parent.
 *
 * @see https://neon.com/docs/reference/api/branches, https://neon.com/docs/manage/operations
 */
export async function startNeon(): Promise<NeonStandIn> {
  const requests: NeonRequest[] = [];
  const hurried: string[] = [];
  let opensAt = 0;
  const branches: Branch[] = [];
  const servers = await preparePostgres();
  const polls = new Map<string, number>();
  const refusals: { what: RegExp; error: Refusal }[] = [];
  const revoked = new Set<string>();
  const plan = { maxBranches: Number.POSITIVE_INFINITY };
  let recoverable = 0;
  let locked = 0;
  let created = 0;

  async function addBranch(name: string, expiresAt: string | undefined): Promise<Branch> {
    const postgres = await servers.start();
    const number = ++created;
    const branch = {
      id: `br-quiet-hill-${number}`,
      name,
      isDefault: number === 1,
      expiresAt,
      endpointId: `ep-quiet-hill-${number}`,
      postgres,
      endpoint: await startNeonEndpoint({ connectionString: postgres.connectionString }),
    };
    branches.push(branch);
    return branch;
  }

  async function removeBranch(branch: Branch): Promise<void> {
    branches.splice(branches.indexOf(branch), 1);
    await branch.endpoint.close();
    await branch.postgres.close();
  }

  function find(id: string): Branch {
    const branch = branches.find((candidate) => candidate.id === id);
    if (branch === undefined) throw new Refusal(404, "branch not found");
    return branch;
  }

  /** Begins an operation that is asked for a few times before it has ended. */
  function operationsFor(branch: Branch, ...actions: string[]): object[] {
    return actions.map((action) => {
      const id = crypto.randomUUID();
      polls.set(id, POLLS);
      return { id, project_id: NEON_PROJECT_ID, branch_id: branch.id, action, status: "scheduling", failures_count: 0 };
    });
  }

  async function answer(request: IncomingMessage): Promise<object> {
    const url = new URL(String(request.url), "http://localhost");
    const prefix = `/projects/${NEON_PROJECT_ID}`;
    if (url.pathname === REVOKED) throw new Refusal(400, "password authentication failed for user", "28P01");
    if (request.headers.authorization !== `Bearer ${NEON_API_KEY}`) {
      throw new Refusal(401, "authentication required");
    }
    if (!url.pathname.startsWith(prefix)) throw new Refusal(404, "project not found");
    const what = `${request.method} ${url.pathname.slice(prefix.length)}`;
    const body = request.method === "GET" || request.method === "DELETE" ? undefined : await json(request);
    requests.push({ what, query: url.searchParams, body });
    if (clockOf(request) < opensAt) hurried.push(what);
    const index = refusals.findIndex((refusal) => refusal.what.test(what));
    if (index >= 0) throw refusals.splice(index, 1)[0]?.error;
    if (request.method !== "GET" && locked-- > 0) {
      throw new Refusal(
        423,
        "project already has running conflicting operations, scheduling of new ones is prohibited",
      );
    }
    return carryOut(what, url.searchParams, body);
  }

  async function carryOut(what: string, query: URLSearchParams, body: unknown): Promise<object> {
    const { branch: wanted } = (body ?? {}) as { branch?: { name?: string; expires_at?: string } };
    const [method, path = ""] = what.split(" ");
    const [, collection, id = ""] = path.split("/");
    if (what === "GET /branches") {
      const search = query.get("search") ?? "";
      return {
        branches: branches.filter(({ name, id }) => name.includes(search) || id.includes(search)).map(describe),
      };
    }
    if (what === "POST /branches") {
      if (branches.some(({ name }) => name === wanted?.name)) throw new Refusal(409, "branch name already exists");
      assertExpiry(wanted?.expires_at);
      if (branches.length + recoverable >= plan.maxBranches) {
        throw new Refusal(422, "branches limit exceeded", "BRANCHES_LIMIT_EXCEEDED");
      }
      const branch = await addBranch(String(wanted?.name), wanted?.expires_at);
      return { branch: describe(branch), operations: operationsFor(branch, "create_branch", "start_compute") };
    }
    if (collection === "operations") return { operation: { id, action: "start_compute", status: poll(id) } };
    if (what === "GET /connection_uri") return { uri: uriOf(find(query.get("branch_id") ?? ""), query) };
    if (method === "PATCH" && collection === "branches") {
      assertExpiry(wanted?.expires_at);
      const branch = Object.assign(find(id), { expiresAt: wanted?.expires_at });
      return { branch: describe(branch), operations: [] };
    }
    if (method === "DELETE" && collection === "branches") {
      const branch = find(id);
      if (branch.isDefault) throw new Refusal(422, "cannot delete the default branch");
      await removeBranch(branch);
      if (query.get("hard_delete") !== "true") recoverable++;
      return { branch: describe(branch), operations: operationsFor(branch, "suspend_compute", "delete_timeline") };
    }
    throw new Refusal(404, `The stand-in does not know ${what}`);
  }

  function poll(id: string): string {
    const left = polls.get(id) ?? 0;
    polls.set(id, left - 1);
    return left > 0 ? "running" : "finished";
  }

  const server = createServer((request, response) => {
    const send = (status: number, body: object, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
    };
    answer(request).then(
      (body) => send(200, body),
      (error: Error) => {
        const { status, code, retryAfterSeconds } = error instanceof Refusal ? error : new Refusal(500, "");
        if (retryAfterSeconds !== undefined) opensAt = clockOf(request) + retryAfterSeconds * 1_000;
        const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
        send(status, { message: error.message, code }, headers);
      },
    );
  });
  await addBranch("main", undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The stand-in has no TCP address");
  const url = `http://127.0.0.1:${address.port}`;
  return Object.assign(plan, {
    url,
    requests,
    hurried,
    branches,
    lockFor: (count: number) => {
      locked = count;
    },
    refuse: (what: RegExp, status: number, message: string, retryAfterSeconds?: number) => {
      refusals.push({ what, error: new Refusal(status, message, "", retryAfterSeconds) });
    },
    revoke: (connectionString: string) => {
      revoked.add(new URL(connectionString).password);
    },
    endpointOf: (connectionString: string) => {
      if (!URL.canParse(connectionString)) return undefined;
      const { hostname, password } = new URL(connectionString);
      if (revoked.has(password)) return url + REVOKED;
      const [label] = hostname.split(".", 1);
      return branches.find(({ endpointId }) => label === endpointId || label === `${endpointId}-pooler`)?.endpoint.url;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      for (const branch of [...branches]) await removeBranch(branch);
      servers.close();
    },
  });
}

const clockOf = ({ headers }: IncomingMessage): number => Number(headers[CLOCK_HEADER]);

/** Where queries with a password that is wrong are led. */
const REVOKED = "/revoked";

const describe = ({ id, name, isDefault, expiresAt }: Branch): object => ({
  id,
  project_id: NEON_PROJECT_ID,
  name,
  default: isDefault,
  protected: false,
  current_state: "ready",
  ...(expiresAt !== undefined && { expires_at: expiresAt }),
});

/** https://neon.com/docs/guides/branch-expiration#timestamp-format-requirements */
function assertExpiry(text: string | undefined): void {
  if (text === undefined) return;
  const inMs = Date.parse(text) - Date.now();
  const isWellFormed = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  if (!isWellFormed || inMs <= 0 || inMs > 30 * 86_400_000) throw new Refusal(400, "invalid expires_at");
}

/** As Neon writes them. */
export function connectionUris({ endpointId, postgres }: Branch): { direct: string; pooled: string } {
  const { port } = new URL(postgres.connectionString);
  const login = `postgresql://${ROLE}:${NEON_PASSWORD}@${endpointId}`;
  return {
    // For `pg`, to which the port tells the branches of this machine apart.
    direct: `${login}.${REGION}:${port}/${DATABASE}`,
    pooled: `${login}-pooler.${REGION}/${DATABASE}`,
  };
}

function uriOf(branch: Branch, query: URLSearchParams): string {
  if (query.get("database_name") !== DATABASE || query.get("role_name") !== ROLE) throw new Refusal(404, "not found");
  return connectionUris(branch)[query.get("pooled") === "true" ? "pooled" : "direct"];
}
