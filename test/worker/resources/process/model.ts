// What the processes of one application should be, for test/worker/resources/process/writes.test.ts: a second telling of the rules,
// which shares no code with the first but the words of failures.
import type { Process } from "../../../../src/worker/resources/process/schema.ts";
import { errorBody, type Failure, type Mistake } from "../../../../src/worker/shared/errors.ts";

/** A machine size, as a process shows it. */
export type Size = Pick<Process, "resource_type_id" | "resource_type_name" | "cpu_limit" | "memory_limit">;

export type Body = Record<string, unknown>;

/** What is asked for, whatever it meets. */
export type Wish =
  | { kind: "create"; body: Body }
  | { kind: "update"; processId: string; body: Body; ifMatch: string | undefined }
  | { kind: "delete"; processId: string; ifMatch: string | undefined }
  | { kind: "trigger"; processId: string };

/** What a wish meets in a state. */
export type Decision =
  | { outcome: "refused"; status: number; message: string; advice: string }
  | { outcome: "unchanged" | "done" };

/** The processes by id, and how many runs each has. */
export interface State {
  processes: ReadonlyMap<string, Process>;
  runs: ReadonlyMap<string, number>;
}

const refused = (failure: Failure): Decision => {
  const { status, message, data } = errorBody(failure, "");
  return { outcome: "refused", status, message, advice: data.message };
};
const wrong = (...mistakes: Mistake[]): Decision => refused({ reason: "invalid_fields", mistakes });
const UNKNOWN_SIZE = wrong({
  field: "resource_type_id",
  what: "must be the id of a machine size, which GET /resources/process-resource-types lists",
});
const MUST_BE_MANUAL = wrong({
  field: "scaling_strategy.type",
  what: 'must be "manual": web and worker processes alone scale by themselves',
});

const TYPE_OF: Record<string, string> = {
  is_ingress_enabled: "web",
  ingress_protocol: "web",
  liveness_probe: "web",
  readiness_probe: "web",
  schedule: "cron",
  time_zone: "cron",
  job_start_policy: "job",
};
/** What leaves a field as it is, and beside which … */
const UNCHANGED: Body = { port: 0, ingress_protocol: "", time_zone: "" };
/** … these values do as well. */
const UNCHANGED_BESIDE: Body = { entrypoint: "", is_ingress_enabled: false };

type Application = Record<"id" | "name" | "namespace", string>;

export class Model {
  readonly #application: Application;
  readonly #sizes: readonly Size[];
  /** The process that an entity tag stands for. */
  readonly #tagged = new Map<string, Process>();

  constructor(application: Application, sizes: readonly Size[]) {
    this.#application = application;
    this.#sizes = sizes;
  }

  /** Remembers which process has this entity tag. @returns false if another one had */
  tag(etag: string, process: Process): boolean {
    const known = this.#tagged.get(etag);
    this.#tagged.set(etag, process);
    return known === undefined || JSON.stringify(known) === JSON.stringify(process);
  }

  decide(wish: Wish, { processes }: State): Decision {
    if (wish.kind === "create") return this.#decideCreate(wish.body, processes);
    const process = processes.get(wish.processId);
    if (process === undefined) return refused({ reason: "no_such_resource", resource: "Process" });
    const ifMatch = "ifMatch" in wish ? wish.ifMatch : undefined;
    if (ifMatch !== undefined && !same(this.#tagged.get(ifMatch), process)) {
      return refused({ reason: "precondition_failed" });
    }
    if (wish.kind === "update") return this.#decideUpdate(wish.body, process);
    if (wish.kind === "delete" && process.type === "web") return refused({ reason: "web_process_kept" });
    if (wish.kind === "trigger" && process.type !== "cron") return refused({ reason: "no_cron_process" });
    return { outcome: "done" };
  }

  #decideCreate(body: Body, processes: State["processes"]): Decision {
    if (this.#sizeOf(body.resource_type_id) === undefined) return UNKNOWN_SIZE;
    const hasWeb = [...processes.values()].some(({ type }) => type === "web");
    return body.type === "web" && hasWeb ? refused({ reason: "second_web_process" }) : { outcome: "done" };
  }

  #decideUpdate(body: Body, process: Process): Decision {
    const foreign = Object.keys(body).filter(
      (field) =>
        TYPE_OF[field] !== undefined &&
        TYPE_OF[field] !== process.type &&
        body[field] !== UNCHANGED[field] &&
        body[field] !== null &&
        body[field] !== false,
    );
    if (foreign.length > 0) {
      return wrong(...foreign.sort().map((field) => ({ field, what: `is for ${TYPE_OF[field]} processes only` })));
    }
    const { resource_type_id: sizeId, scaling_strategy: strategy } = body as Partial<Process>;
    if (sizeId !== undefined && this.#sizeOf(sizeId) === undefined) return UNKNOWN_SIZE;
    if (strategy?.type === "horizontal" && process.type !== "web" && process.type !== "worker") return MUST_BE_MANUAL;
    const changed = this.changed(process, body, process.updated_at);
    return { outcome: same(changed, process) ? "unchanged" : "done" };
  }

  /** The process that a wish makes of another. */
  changed(process: Process, body: Body, updatedAt: string): Process {
    const next: Process = { ...process, ...body, updated_at: updatedAt };
    const keep = (values: Body) => {
      const fields = Object.keys(values).filter((field) => body[field] === values[field]) as (keyof Process)[];
      for (const field of fields) Object.assign(next, { [field]: process[field] });
      return fields.length > 0;
    };
    if (keep(UNCHANGED)) keep(UNCHANGED_BESIDE);
    return { ...next, ...this.#sizeOf(next.resource_type_id) };
  }

  /** The process that a wish creates. */
  created(body: Body, { id, created_at }: Pick<Process, "id" | "created_at">, { processes }: State): Process {
    const key = this.#keyFor(body, processes);
    const { name, namespace } = this.#application;
    const isWeb = body.type === "web";
    return {
      id,
      app_id: this.#application.id,
      key,
      type: null,
      display_name: null,
      entrypoint: "",
      port: null,
      is_ingress_enabled: isWeb,
      ingress_protocol: isWeb ? "http" : null,
      scaling_strategy: null,
      ...this.#sizeOf(body.resource_type_id),
      schedule: null,
      time_zone: body.type === "cron" ? "UTC" : null,
      job_start_policy: null,
      liveness_probe: null,
      readiness_probe: null,
      ...Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)),
      internal_hostname: `${name}-${key}.${namespace}.svc.cluster.local`,
      created_at,
      updated_at: created_at,
    } as Process;
  }

  #keyFor({ type, display_name }: Body, processes: State["processes"]): string {
    const lowerCase = String(display_name).toLowerCase();
    const words = lowerCase.match(/[a-z0-9]+/g);
    const slug = type === "web" || words === null ? String(type) : words.join("-");
    const taken = new Set([...processes.values()].map(({ key }) => key));
    if (type !== "web") taken.add("web");
    const room = 63 - this.#application.name.length - 1;
    const keyOf = (n: number) => {
      const suffix = n === 1 ? "" : `-${n}`;
      return slug.slice(0, room - suffix.length).replace(/-$/, "") + suffix;
    };
    const isTaken = (n: number) => taken.has(keyOf(n));
    let free = 1;
    while (isTaken(free)) free *= 2;
    for (let low = Math.floor(free / 2); free - low > 1; ) {
      const middle = Math.floor((low + free) / 2);
      if (isTaken(middle)) low = middle;
      else free = middle;
    }
    return keyOf(free);
  }

  #sizeOf(id: unknown): Size | undefined {
    return this.#sizes.find(({ resource_type_id }) => resource_type_id === id);
  }
}

/** Whether two payloads say the same, in whatever order: jsonb keeps none. */
export const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, member) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
