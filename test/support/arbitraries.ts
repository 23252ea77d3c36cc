// Random values for property tests, by the contract's rules.
import fc from "fast-check";
import {
  applicationStatus,
  applicationType,
  buildType,
  gitType,
} from "../../src/worker/resources/application/table.ts";

/** Any text that Postgres can hold: all of Unicode but NUL and lone surrogates. Lengths are in code points. */
export function text(minLength: number, maxLength: number): fc.Arbitrary<string> {
  const unit = fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((character) => character !== "\0");
  return fc.oneof(
    fc.string({ unit, minLength, maxLength, size: "max" }),
    fc.string({ unit: "grapheme-ascii", minLength, maxLength }),
    // The very longest, of characters that are two UTF-16 units each.
    fc.constant("🚀".repeat(maxLength)),
  );
}

type Model<T> = { [K in keyof T]: fc.Arbitrary<T[K]> };
type Nullable<T> = { [K in keyof T]: T[K] | null };
/** Without null prototypes: Drizzle cannot take them. */
export const record = <T extends object>(model: Model<T>, requiredKeys = Object.keys(model) as (keyof T)[]) =>
  fc.record(model, { noNullPrototype: true, requiredKeys }) as fc.Arbitrary<T>;
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
/** Members that may each be null. */
const nullable = <T extends object>(model: Model<T>) =>
  Object.fromEntries(Object.keys(model).map((name) => [name, optional(model[name as keyof T])])) as Model<Nullable<T>>;
/** Members that may each be null or absent. */
const sparse = <T extends object>(model: Model<T>) => record<Nullable<T>>(nullable(model), []);
/** Members of the same kind. */
const all = <Name extends string, T>(value: fc.Arbitrary<T>, ...names: Name[]) =>
  Object.fromEntries(names.map((name) => [name, value])) as Record<Name, fc.Arbitrary<T>>;

const integer = (min: number, max: number) => fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max));
const seconds = (min: number) => fc.oneof(fc.integer({ min, max: 100 }), fc.constantFrom(min, Number.MAX_SAFE_INTEGER));
const instances = integer(0, 50);
export const manualScaling = record({ type: fc.constant("manual"), config: record({ instanceCount: instances }) });
const horizontalScaling = fc
  .tuple(
    fc.tuple(instances, instances),
    sparse({
      ...all(integer(1, 100), "targetCpuPercent", "targetMemoryPercent"),
      ...all(integer(1, 60_000), "scaleUpIntervalSeconds", "scaleDownIntervalSeconds"),
      ...all(integer(1, 5), "scaleUpIncrement", "scaleDownIncrement"),
    }),
  )
  .map(([counts, others]) => ({
    type: "horizontal",
    config: { minInstanceCount: Math.min(...counts), maxInstanceCount: Math.max(...counts), ...others },
  }));
export const scalingStrategy = fc.oneof(manualScaling, horizontalScaling);

const port = integer(1, 65_535);
/** Inside jsonb, where Postgres refuses \u0000 too. */
const jsonText = text(0, 40);
export const probe = sparse({
  exec: record({ command: fc.array(jsonText, { maxLength: 4 }) }),
  httpGet: sparse({
    ...all(jsonText, "path", "host"),
    port,
    scheme: fc.constantFrom("HTTP", "HTTPS"),
    httpHeaders: fc.array(record(all(jsonText, "name", "value")), { maxLength: 3 }),
  }),
  tcpSocket: record({ port, host: optional(jsonText) }, ["port"]),
  initialDelaySeconds: seconds(0),
  ...all(seconds(1), "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"),
});

const int32 = (min: number) => fc.oneof(fc.integer({ min, max: 100 }), fc.constantFrom(min, 2_147_483_647));
const handlers = {
  exec: record({ command: fc.array(jsonText, { minLength: 1, maxLength: 4 }) }),
  httpGet: record(
    {
      port,
      ...nullable({
        ...all(jsonText, "path", "host"),
        scheme: fc.constantFrom("HTTP", "HTTPS"),
        httpHeaders: fc.array(record({ name: fc.stringMatching(/^[-A-Za-z0-9]{1,9}$/), value: jsonText }), {
          maxLength: 3,
        }),
      }),
    },
    ["port"],
  ),
  tcpSocket: record({ port, host: optional(jsonText) }, ["port"]),
};
/** A probe that Kubernetes takes, for liveness, too. */
export const newProbe = fc.constantFrom("exec", "httpGet", "tcpSocket").chain((name) =>
  record<object>(
    {
      ...all(fc.constant(null), "exec", "httpGet", "tcpSocket"),
      [name]: handlers[name],
      ...nullable({
        initialDelaySeconds: int32(0),
        ...all(int32(1), "periodSeconds", "timeoutSeconds", "failureThreshold"),
        successThreshold: fc.constant(1),
      }),
    },
    [name as never],
  ),
);

/** UUIDs as the contract takes them, in lower case. Not biased towards small ones: ids must not meet those of others. */
const uuid = fc.noShrink(fc.noBias(fc.uuid({ version: [1, 2, 3, 4, 5, 6, 7, 8] })));
/** Nil and max as well, where there is no harm in meeting them more than once. */
export const anyUuid = fc.oneof(
  { weight: 20, arbitrary: uuid },
  fc.constantFrom("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
);

/** Whole milliseconds of the years 1 to 9999. */
const [min, max] = [new Date("0001-01-01T00:00:00.000Z"), new Date("9999-12-31T23:59:59.999Z")];
const moment = fc.oneof(
  fc.date({ min, max, noInvalidDate: true }),
  fc.constantFrom(min, max, new Date("0050-06-01T00:00:00.001Z"), new Date("2024-02-29T23:59:59.999Z")),
);
const times = all(moment, "createdAt", "updatedAt");

const dnsLabel = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
export const application = record({ id: uuid, name: dnsLabel, namespace: optional(dnsLabel) });
const path = text(0, 60);
const pathList = fc.array(jsonText, { maxLength: 3 });
const noPaths = fc.constant<string[]>([]);
const none = fc.constant(null);
const noGit = all(none, "gitType", "repoUrl", "defaultBranch");
const git = nullable({ gitType: fc.constantFrom(...gitType.enumValues), ...all(path, "repoUrl", "defaultBranch") });

/** The columns of an application that Postgres must accept, but for the company. */
export const detailedApplication = fc
  .tuple(
    record({
      id: uuid,
      name: dnsLabel,
      displayName: text(1, 255),
      type: fc.constantFrom(...applicationType.enumValues),
      ...all(fc.boolean(), "isSuspended", "autoDeploy", "isBuildCacheEnabled", "isHibernationEnabled"),
      buildType: fc.constantFrom(...buildType.enumValues),
      buildpacks: fc.array(record({ ...all(jsonText, "id", "source"), order: seconds(0) }), { maxLength: 3 }),
      ...times,
      ...nullable({
        namespace: dnsLabel,
        status: fc.constantFrom(...applicationStatus.enumValues),
        ...all(anyUuid, "projectId", "clusterId", "dockerRegistryCredentialId", "createdBy"),
        ...all(path, "buildPath", "packBuilder", "nixpacksVersion", "dockerfilePath", "dockerContext"),
        hibernateAfterSeconds: integer(1, 2_147_483_647),
      }),
    }),
    fc.oneof(
      record({ ...git, source: fc.constantFrom("privateGit", "publicGit"), dockerImage: none }),
      record({ ...noGit, source: fc.constant("dockerImage"), dockerImage: optional(path) }),
      record({ ...noGit, source: fc.constant("app"), dockerImage: none }),
    ),
    fc.oneof(
      record({ allowDeployPaths: pathList, ignoreDeployPaths: noPaths }),
      record({ allowDeployPaths: noPaths, ignoreDeployPaths: pathList }),
    ),
  )
  .map(([common, source, paths]) => ({ ...common, ...source, ...paths }));

const amounts = all(seconds(1), "cpuMillicores", "memoryMegabytes");
export const resourceType = record({ id: uuid, name: text(1, 60), ...amounts });

const common = {
  id: uuid,
  key: text(1, 64),
  entrypoint: text(0, 1024),
  ...nullable({ displayName: text(1, 255), port, scalingStrategy }),
  ...times,
  isIngressEnabled: fc.constant(false),
  ...all(none, "ingressProtocol", "livenessProbe", "readinessProbe", "schedule", "timeZone", "jobStartPolicy"),
};
const policy = fc.constantFrom("beforeDeployment", "afterSuccessDeployment", "afterFailedDeployment");

/** The columns of a process that Postgres must accept, but for the application and the resource type. */
export const process = fc.oneof(
  record({
    ...common,
    type: fc.constant("web"),
    isIngressEnabled: fc.boolean(),
    ...nullable({ ingressProtocol: fc.constantFrom("http", "grpc"), ...all(probe, "livenessProbe", "readinessProbe") }),
  }),
  record({ ...common, type: fc.constantFrom("worker", null) }),
  record({ ...common, type: fc.constant("cron"), ...nullable(all(text(0, 100), "schedule", "timeZone")) }),
  record({ ...common, type: fc.constant("job"), jobStartPolicy: optional(policy) }),
);

/** The columns of a row, as payloads name and write them. */
export function inSnakeCase(row: object): Record<string, unknown> {
  const nameOf = (column: string) => column.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const written = (value: unknown) => (value instanceof Date ? value.toISOString() : value);
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [nameOf(column), written(value)]));
}

type Value<T> = T extends fc.Arbitrary<infer V> ? V : never;
export type Process = Value<typeof process>;
export type Application = Value<typeof application>;
export type ResourceType = Value<typeof resourceType>;

export const payloadOf = (row: Process, { id, name, namespace }: Application, size: ResourceType | null) => ({
  ...inSnakeCase(row),
  app_id: id,
  resource_type_id: size?.id ?? null,
  resource_type_name: size?.name ?? null,
  cpu_limit: size?.cpuMillicores ?? null,
  memory_limit: size?.memoryMegabytes ?? null,
  internal_hostname: namespace && `${name}-${row.key}.${namespace}.svc.cluster.local`,
});

const NUMBERS = [-1, 0, 0.5, 1, 5, 6, 50, 51, 100, 101, 60_000, 60_001, 65_535, 65_536, 1e20, -0.5, 2 ** 53];
const WORDS = ["", "manual", "horizontal", "HTTP", "FTP"];
const values = fc.constantFrom<unknown>(null, true, false, ...WORDS, [], {}, [null], [[]], ["a"], [["a"]]);
const pair = record({ name: fc.constant("a"), value: fc.constantFrom<unknown>("b", 1, null) });
const junk = fc.oneof(values, fc.constantFrom(...NUMBERS), pair, fc.array(pair, { maxLength: 2 }));
const NAMES = "extra type config port command instanceCount minInstanceCount __proto".split(" ");
const mutation = record({
  at: fc.nat(),
  kind: fc.constantFrom("replace", "remove", "wrap", "add", "rename", "none"),
  value: junk,
  name: fc.constantFrom(...NAMES, ""),
});

/** A value with some of its parts replaced, removed, wrapped, renamed or joined by others: often no longer valid. */
export const mutated = <T>(valid: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc
    .tuple(valid, fc.array(mutation, { minLength: 1, maxLength: 2 }))
    // Copies: the same junk, put into itself, would have no end.
    .map(([value, mutations]) =>
      mutations.reduce<unknown>((root, one) => mutate(root, structuredClone(one)), structuredClone(value)),
    );

type Parent = Record<string, unknown>;
const isObject = (value: unknown): value is Parent => typeof value === "object" && value !== null;
const placesIn = (parent: unknown): [Parent, string][] =>
  isObject(parent) ? Object.keys(parent).flatMap((key) => [[parent, key], ...placesIn(parent[key])]) : [];

function mutate(root: unknown, { at, kind, value, name }: Value<typeof mutation>) {
  const holder: Parent = { root };
  const places = placesIn(holder);
  const [parent, key] = places[at % places.length] as [Parent, string];
  const current = parent[key];
  if (kind === "replace") parent[key] = value;
  if (kind === "wrap") parent[key] = [current];
  if (kind === "add" && isObject(current) && !Array.isArray(current)) current[name] = value;
  if (parent === holder) return holder.root;
  if (Array.isArray(parent)) {
    if (kind === "remove") parent.splice(Number(key), 1);
  } else if (kind === "remove" || kind === "rename") {
    delete parent[key];
    if (kind === "rename") parent[name] = current;
  }
  return holder.root;
}
