// Random values for property tests, by the contract's rules.
import fc from "fast-check";
import { applicationStatus, applicationType, buildType, gitType } from "../../src/worker/db/schema.ts";

/** Any text that Postgres can hold: all of Unicode but NUL and lone surrogates. Lengths are in code points. */
export const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({
      unit: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((c) => c !== "\0"),
      minLength,
      maxLength,
      size: "max",
    }),
    fc.string({ unit: "grapheme-ascii", minLength, maxLength }),
    // The very longest, of characters that are two UTF-16 units each.
    fc.constant("🚀".repeat(maxLength)),
  );

/** Without null prototypes: Drizzle cannot take them. */
const record = <T extends object>(
  model: { [K in keyof T]: fc.Arbitrary<T[K]> },
  { requiredKeys }: { requiredKeys?: (keyof T)[] } = {},
): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true, ...(requiredKeys && { requiredKeys }) }) as fc.Arbitrary<T>;

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const integer = (min: number, max: number) => fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max));
const seconds = (min: number) => fc.oneof(fc.integer({ min, max: 100 }), fc.constantFrom(min, Number.MAX_SAFE_INTEGER));

const manualScaling = record({
  type: fc.constant("manual"),
  config: record({ instanceCount: integer(0, 50) }),
});

const horizontalScaling = record(
  {
    minInstanceCount: integer(0, 50),
    maxInstanceCount: integer(0, 50),
    targetCpuPercent: optional(integer(1, 100)),
    targetMemoryPercent: optional(integer(1, 100)),
    scaleUpIntervalSeconds: optional(integer(1, 60_000)),
    scaleUpIncrement: optional(integer(1, 5)),
    scaleDownIntervalSeconds: optional(integer(1, 60_000)),
    scaleDownIncrement: optional(integer(1, 5)),
  },
  { requiredKeys: ["minInstanceCount", "maxInstanceCount"] },
).map((config) => {
  const { minInstanceCount: a, maxInstanceCount: b } = config;
  return {
    type: "horizontal",
    config: { ...config, minInstanceCount: Math.min(a, b), maxInstanceCount: Math.max(a, b) },
  };
});

export const scalingStrategy = fc.oneof(manualScaling, horizontalScaling);

const port = integer(1, 65_535);
/** Inside jsonb, where Postgres refuses \u0000 too. */
const jsonText = text(0, 40);

export const probe = record(
  {
    exec: optional(record({ command: fc.array(jsonText, { maxLength: 4 }) })),
    httpGet: optional(
      record(
        {
          path: optional(jsonText),
          port: optional(port),
          host: optional(jsonText),
          scheme: optional(fc.constantFrom("HTTP", "HTTPS")),
          httpHeaders: optional(fc.array(record({ name: jsonText, value: jsonText }), { maxLength: 3 })),
        },
        { requiredKeys: [] },
      ),
    ),
    tcpSocket: optional(record({ port, host: optional(jsonText) }, { requiredKeys: ["port"] })),
    initialDelaySeconds: optional(seconds(0)),
    periodSeconds: optional(seconds(1)),
    timeoutSeconds: optional(seconds(1)),
    successThreshold: optional(seconds(1)),
    failureThreshold: optional(seconds(1)),
  },
  { requiredKeys: [] },
);

const NIL = "00000000-0000-0000-0000-000000000000";
const MAX = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** UUIDs as the contract takes them, in lower case. Not biased towards small ones: ids must not meet those of others. */
const uuid = fc.noShrink(fc.noBias(fc.uuid({ version: [1, 2, 3, 4, 5, 6, 7, 8] })));
/** Nil and max too, where there is no harm in meeting them more than once. */
export const anyUuid = fc.oneof({ weight: 20, arbitrary: uuid }, fc.constantFrom(NIL, MAX));

/** Whole milliseconds of the years 1 to 9999, the first and the last among them. */
const moment = fc.oneof(
  fc.date({
    min: new Date("0001-01-01T00:00:00.000Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  }),
  fc.constantFrom(
    new Date("0001-01-01T00:00:00.000Z"),
    new Date("0050-06-01T00:00:00.001Z"),
    new Date("2024-02-29T23:59:59.999Z"),
    new Date("9999-12-31T23:59:59.999Z"),
  ),
);

const dnsLabel = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);

export const application = record({
  id: uuid,
  name: dnsLabel,
  namespace: optional(dnsLabel),
});

const pathList = fc.array(jsonText, { maxLength: 3 });
const details = {
  id: uuid,
  name: dnsLabel,
  displayName: text(1, 255),
  namespace: optional(dnsLabel),
  status: optional(fc.constantFrom(...applicationStatus.enumValues)),
  type: fc.constantFrom(...applicationType.enumValues),
  isSuspended: fc.boolean(),
  projectId: optional(anyUuid),
  clusterId: optional(anyUuid),
  dockerRegistryCredentialId: optional(anyUuid),
  createdBy: optional(anyUuid),
  autoDeploy: fc.boolean(),
  buildType: fc.constantFrom(...buildType.enumValues),
  buildPath: optional(text(0, 60)),
  isBuildCacheEnabled: fc.boolean(),
  packBuilder: optional(text(0, 60)),
  buildpacks: fc.array(record({ id: jsonText, source: jsonText, order: seconds(0) }), { maxLength: 3 }),
  nixpacksVersion: optional(text(0, 60)),
  dockerfilePath: optional(text(0, 60)),
  dockerContext: optional(text(0, 60)),
  isHibernationEnabled: fc.boolean(),
  hibernateAfterSeconds: optional(integer(1, 2_147_483_647)),
  createdAt: moment,
  updatedAt: moment,
};
const none = fc.constant(null);
const noGit = { gitType: none, repoUrl: none, defaultBranch: none };

/** The columns of an application that Postgres must accept, but for the company. */
export const detailedApplication = fc
  .tuple(
    record(details),
    fc.oneof(
      record({
        source: fc.constantFrom("privateGit" as const, "publicGit" as const),
        gitType: optional(fc.constantFrom(...gitType.enumValues)),
        repoUrl: optional(text(0, 60)),
        defaultBranch: optional(text(0, 60)),
        dockerImage: none,
      }),
      record({ ...noGit, source: fc.constant("dockerImage" as const), dockerImage: optional(text(0, 60)) }),
      record({ ...noGit, source: fc.constant("app" as const), dockerImage: none }),
    ),
    fc.oneof(
      record({ allowDeployPaths: pathList, ignoreDeployPaths: fc.constant<string[]>([]) }),
      record({ allowDeployPaths: fc.constant<string[]>([]), ignoreDeployPaths: pathList }),
    ),
  )
  .map(([common, source, paths]) => ({ ...common, ...source, ...paths }));

export const resourceType = record({
  id: uuid,
  name: text(1, 60),
  cpuMillicores: seconds(1),
  memoryMegabytes: seconds(1),
});

const common = {
  id: uuid,
  key: text(1, 64),
  displayName: optional(text(1, 255)),
  entrypoint: text(0, 1024),
  port: optional(port),
  scalingStrategy: optional(scalingStrategy),
  createdAt: moment,
  updatedAt: moment,
};
const nothing = {
  isIngressEnabled: fc.constant(false),
  ingressProtocol: fc.constant(null),
  schedule: fc.constant(null),
  timeZone: fc.constant(null),
  jobStartPolicy: fc.constant(null),
  livenessProbe: fc.constant(null),
  readinessProbe: fc.constant(null),
};

/** The columns of a process that Postgres must accept, but for the application and the resource type. */
export const process = fc.oneof(
  record({
    ...common,
    ...nothing,
    type: fc.constant("web" as const),
    isIngressEnabled: fc.boolean(),
    ingressProtocol: optional(fc.constantFrom("http" as const, "grpc" as const)),
    livenessProbe: optional(probe),
    readinessProbe: optional(probe),
  }),
  record({ ...common, ...nothing, type: fc.constantFrom("worker" as const, null) }),
  record({
    ...common,
    ...nothing,
    type: fc.constant("cron" as const),
    schedule: optional(text(0, 100)),
    timeZone: optional(text(0, 100)),
  }),
  record({
    ...common,
    ...nothing,
    type: fc.constant("job" as const),
    jobStartPolicy: optional(
      fc.constantFrom("beforeDeployment" as const, "afterSuccessDeployment" as const, "afterFailedDeployment" as const),
    ),
  }),
);

const NUMBERS = [-1, 0, 0.5, 1, 5, 6, 50, 51, 100, 101, 60_000, 60_001, 65_535, 65_536, 1e20, -0.5, 2 ** 53];
const junk = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    "",
    "manual",
    "horizontal",
    "HTTP",
    "FTP",
    [],
    {},
    [null],
    [[]],
    ["a"],
    [["a"]],
  ),
  fc.constantFrom(...NUMBERS),
  record({ name: fc.constant("a"), value: fc.constantFrom<unknown>("b", 1, null) }),
  fc.array(record({ name: fc.constant("a"), value: fc.constantFrom<unknown>("b", 1, null) }), { maxLength: 2 }),
);

type Json = unknown;

/** A value with some of its parts replaced, removed, wrapped, renamed or joined by others: often no longer valid. */
export function mutated<T>(valid: fc.Arbitrary<T>): fc.Arbitrary<Json> {
  const mutation = record({
    at: fc.nat(),
    kind: fc.constantFrom("replace", "remove", "wrap", "add", "rename", "none"),
    value: junk,
    name: fc.constantFrom(
      "extra",
      "type",
      "config",
      "port",
      "command",
      "instanceCount",
      "minInstanceCount",
      "__proto",
      "",
    ),
  });
  return (
    fc
      .tuple(valid, fc.array(mutation, { minLength: 1, maxLength: 2 }))
      // Copies: the same junk, put into itself, would have no end.
      .map(([value, mutations]) =>
        mutations.reduce<Json>((root, one) => mutate(root, structuredClone(one)), structuredClone(value)),
      )
  );
}

function mutate(root: Json, { at, kind, value, name }: { at: number; kind: string; value: Json; name: string }): Json {
  const holder = { root };
  const places = placesIn(holder);
  const place = places[at % places.length];
  if (place === undefined) return root;
  const { parent, key } = place;
  const current = parent[key];
  if (kind === "replace") parent[key] = value;
  if (kind === "remove" && parent !== (holder as Record<string, Json>)) {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete parent[key];
  }
  if (kind === "wrap") parent[key] = [current];
  if (kind === "add" && isObject(current)) current[name] = value;
  if (kind === "rename" && !Array.isArray(parent) && parent !== (holder as Record<string, Json>)) {
    delete parent[key];
    parent[name] = current;
  }
  return holder.root;
}

type Parent = Record<string, Json>;

function placesIn(parent: Json): { parent: Parent; key: string }[] {
  if (!isObject(parent) && !Array.isArray(parent)) return [];
  return Object.keys(parent).flatMap((key) => [
    { parent: parent as Parent, key },
    ...placesIn((parent as Parent)[key]),
  ]);
}

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
