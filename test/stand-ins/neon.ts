// A project at Neon: https://neon.com/docs/reference/api/branches, https://neon.com/docs/manage/operations. All of its
// branches are one database, since a test looks at one branch at a time.

export const NEON_API_KEY = "a-neon-key-for-the-stand-in-and-nothing-else";
export const NEON_PROJECT_ID = "still-lake-12345678";
/** The role's password, in every branch. */
export const NEON_PASSWORD = "npg_a1b2c3d4e5f6";

interface Branch {
  id: string;
  name: string;
  expires_at?: string;
}

/** A refusal of the API. */
class Refusal extends Error {
  readonly response: Response;

  constructor(status: number, message: string, headers = {}) {
    super(message);
    this.response = Response.json({ message }, { status, headers });
  }
}

export class NeonProject {
  /** In order: `PATCH /branches/<id>`. */
  readonly requests: string[] = [];
  /** One stays, as a project's own does. */
  branches: Branch[] = [{ id: "br-main", name: "main" }];
  /** Operations that are under way the first time that they are asked for. */
  readonly #begun = new Set<string>();
  readonly #refusals: { what: RegExp; refusal: Refusal }[] = [];
  readonly #database: URL;

  /** @param database its connection string */
  constructor(database: string) {
    this.#database = new URL(database);
  }

  /** The next request that matches is refused. */
  refuse(what: RegExp, status: number, message: string, headers?: Record<string, string>): void {
    this.#refusals.push({ what, refusal: new Refusal(status, message, headers) });
  }

  /** By its name or its id. */
  branch(name: string | null): Branch {
    const branch = this.branches.find((one) => one.name === name || one.id === name);
    if (branch === undefined) throw new Refusal(404, "branch not found");
    return branch;
  }

  /** A branch's URLs as Neon writes them, but that the direct one leads to the database of the test. */
  urls(name: string | null): { direct: string; pooled: string } {
    const login = `postgresql://neondb_owner:${NEON_PASSWORD}@${this.branch(name).id.replace("br-", "ep-")}`;
    const { port, hostname } = this.#database;
    return {
      direct: `${login}.us-east-2.aws.neon.tech:${port}/postgres?host=${hostname}`,
      pooled: `${login}-pooler.us-east-2.aws.neon.tech/postgres`,
    };
  }

  async fetch(request: Request): Promise<Response> {
    try {
      return Response.json(await this.#respond(request));
    } catch (error) {
      return (error as Refusal).response;
    }
  }

  async #respond(request: Request): Promise<object> {
    const { pathname, searchParams: query } = new URL(request.url);
    if (request.headers.get("authorization") !== `Bearer ${NEON_API_KEY}`) throw new Refusal(401, "no such key");
    const [, , , , project, collection, id = ""] = pathname.split("/");
    if (project !== NEON_PROJECT_ID) throw new Refusal(404, "project not found");
    const hard = query.has("hard_delete") ? `?hard_delete=${query.get("hard_delete")}` : "";
    const what = `${request.method} /${collection}${id && "/<id>"}${hard}`;
    this.requests.push(what);
    const index = this.#refusals.findIndex((one) => one.what.test(what));
    if (index >= 0) throw this.#refusals.splice(index, 1)[0]?.refusal;
    const { branch: wanted = {} } = (request.body === null ? {} : await request.json()) as { branch?: Partial<Branch> };
    switch (what) {
      case "GET /branches":
        return { branches: this.branches };
      case "POST /branches": {
        const branch = { id: `br-${crypto.randomUUID()}`, name: "", ...wanted };
        this.branches.push(branch);
        return { branch, operations: this.#begin("create_branch", "start_compute") };
      }
      case "PATCH /branches/<id>":
        return { branch: Object.assign(this.branch(id), wanted) };
      case "DELETE /branches/<id>?hard_delete=true":
        this.branches.splice(this.branches.indexOf(this.branch(id)), 1);
        return { operations: this.#begin("suspend_compute", "delete_timeline") };
      case "GET /operations/<id>": {
        const status = this.#begun.delete(id) ? "running" : "finished";
        return { operation: { id, action: "start_compute", status } };
      }
      case "GET /connection_uri":
        if (`${query.get("role_name")} ${query.get("database_name")}` !== "neondb_owner neondb") break;
        return { uri: this.urls(query.get("branch_id"))[query.get("pooled") === "true" ? "pooled" : "direct"] };
    }
    throw new Refusal(404, `The stand-in does not know ${what}`);
  }

  #begin(...actions: string[]): object[] {
    const operations = actions.map((action) => ({ id: crypto.randomUUID(), action, status: "scheduling" }));
    for (const { id } of operations) this.#begun.add(id);
    return operations;
  }
}
