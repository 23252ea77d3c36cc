// Data to try the service with. Ids and keys are fixed and public, so that a command printed in the README works.
import { createHash } from "node:crypto";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import { isOnThisMachine } from "../src/node/database.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "../src/worker/resources/api-key/table.ts";
import { applications } from "../src/worker/resources/application/table.ts";
import { companies } from "../src/worker/resources/company/table.ts";
import { processes } from "../src/worker/resources/process/table.ts";
import { processResourceTypes } from "../src/worker/resources/process-resource-type/table.ts";

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const token = (n: number) => `svl_${String(n).padStart(64, "0")}`;

/** Who has most of it. Found only where the seed was written. */
export const SEED_COMPANY: string = uuid(1);
const OTHER_COMPANY = uuid(2);
export const SEED_COMPANIES: readonly string[] = [SEED_COMPANY, OTHER_COMPANY];
const APPLICATION = uuid(11);
const BARE_APPLICATION = uuid(12);
const OTHER_APPLICATION = uuid(13);
const PUBLIC_GIT_APPLICATION = uuid(14);
const DOCKER_APPLICATION = uuid(15);
const PREVIEW_APPLICATION = uuid(16);
const SMALL = uuid(21);
const LARGE = uuid(22);

const createdAt = new Date("2025-01-30T00:00:00.000Z");
const written = { createdAt, updatedAt: createdAt };
const PAST = new Date("2025-01-31T00:00:00.000Z");
const FAR = new Date("2099-12-31T00:00:00.000Z");

/** Tokens of the seeded keys, by what they are good for. */
export const SEED_TOKENS = {
  full: token(1),
  scoped: token(2),
  unpermitted: token(3),
  disabled: token(4),
  expired: token(5),
  rotatedOld: token(6),
  rotatedNew: token(7),
  otherCompany: token(8),
};

/** The processes that there are to read: what each is there to show, and the key for it. */
export const SEED_PROCESSES = [
  { kind: "web", shows: "a web process", applicationId: APPLICATION, processId: uuid(101), token: SEED_TOKENS.full },
  { kind: "worker", shows: "a worker", applicationId: APPLICATION, processId: uuid(102), token: SEED_TOKENS.full },
  { kind: "cron", shows: "a cron process", applicationId: APPLICATION, processId: uuid(103), token: SEED_TOKENS.full },
  { kind: "job", shows: "a job", applicationId: APPLICATION, processId: uuid(104), token: SEED_TOKENS.full },
  {
    kind: "sparse",
    shows: "a process of which little is known: every optional field is null",
    applicationId: BARE_APPLICATION,
    processId: uuid(105),
    token: SEED_TOKENS.full,
  },
  {
    kind: "grpc",
    shows: "a web process that answers gRPC, of another company",
    applicationId: OTHER_APPLICATION,
    processId: uuid(106),
    token: SEED_TOKENS.otherCompany,
  },
] as const;

/**
 * Writes the seed. Rows that are there already stay as they are.
 *
 * @throws Error if the database is not on this machine, unless `force`
 */
export async function seed(connectionString: string, { force = false } = {}): Promise<void> {
  if (!force && !isOnThisMachine(connectionString)) {
    throw new Error(
      "The seed's API keys are public. It is for a database on this machine; --force writes it elsewhere.",
    );
  }
  const client = new pg.Client({ connectionString, application_name: "process-api seed" });
  await client.connect();
  try {
    await drizzle({ client }).transaction(insertAll);
  } finally {
    await client.end();
  }
}

const privateGit = {
  projectId: uuid(31),
  clusterId: uuid(32),
  createdBy: uuid(34),
  gitType: "github" as const,
  repoUrl: "https://github.com/example/my-app",
  autoDeploy: true,
};

async function insertAll(db: Pick<NodePgDatabase, "insert">): Promise<void> {
  await db
    .insert(companies)
    .values([
      { id: SEED_COMPANY, name: "Example Company", ...written },
      { id: OTHER_COMPANY, name: "Other Company", ...written },
    ])
    .onConflictDoNothing();
  await db
    .insert(applications)
    .values([
      {
        id: APPLICATION,
        companyId: SEED_COMPANY,
        name: "my-app",
        displayName: "My App",
        status: "deploymentSuccess",
        namespace: "my-app-abc123",
        source: "privateGit",
        ...privateGit,
        defaultBranch: "main",
        allowDeployPaths: ["src/**", "package.json"],
        buildPath: ".",
        nixpacksVersion: "1.41.0",
        ...written,
      },
      {
        id: PUBLIC_GIT_APPLICATION,
        companyId: SEED_COMPANY,
        name: "docs",
        displayName: "Documentation",
        status: "deploymentFailed",
        source: "publicGit",
        gitType: "gitlab",
        repoUrl: "https://gitlab.com/example/docs",
        defaultBranch: "main",
        ignoreDeployPaths: ["drafts/**"],
        buildType: "pack",
        packBuilder: "heroku/builder:24",
        buildpacks: [{ id: "heroku/nodejs", source: "docker.io/heroku/buildpack-nodejs", order: 0 }],
        isHibernationEnabled: true,
        hibernateAfterSeconds: 3_600,
        ...written,
      },
      {
        id: DOCKER_APPLICATION,
        companyId: SEED_COMPANY,
        name: "metrics",
        displayName: "Metrics",
        status: "deploymentInProgress",
        source: "dockerImage",
        dockerImage: "ghcr.io/example/metrics:1",
        dockerRegistryCredentialId: uuid(33),
        isSuspended: true,
        ...written,
      },
      {
        id: PREVIEW_APPLICATION,
        companyId: SEED_COMPANY,
        name: "my-app-preview",
        displayName: "My App, preview",
        status: "deploymentSuccess",
        type: "previewApp",
        source: "privateGit",
        ...privateGit,
        defaultBranch: "change",
        buildType: "dockerfile",
        dockerfilePath: "Dockerfile",
        dockerContext: ".",
        ...written,
      },
      { id: BARE_APPLICATION, companyId: SEED_COMPANY, name: "bare-app", displayName: "Bare App", ...written },
      {
        id: OTHER_APPLICATION,
        companyId: OTHER_COMPANY,
        name: "other-app",
        displayName: "Other App",
        namespace: "other-app-def456",
        ...written,
      },
    ])
    .onConflictDoNothing();
  await db
    .insert(processResourceTypes)
    .values([
      { id: SMALL, name: "s1", cpuMillicores: 500, memoryMegabytes: 512, category: "standard", ...written },
      { id: LARGE, name: "l2", cpuMillicores: 4_000, memoryMegabytes: 16_384, category: "standard", ...written },
    ])
    .onConflictDoNothing();
  await insertProcesses(db);
  await insertKeys(db);
}

async function insertProcesses(db: Pick<NodePgDatabase, "insert">): Promise<void> {
  const [web, worker, cron, job, sparse, grpc] = SEED_PROCESSES.map(({ applicationId, processId }) => ({
    id: processId,
    applicationId,
    ...written,
  }));
  if (!web || !worker || !cron || !job || !sparse || !grpc) throw new Error("the list of processes has changed");
  await db
    .insert(processes)
    .values([
      {
        ...web,
        key: "web",
        type: "web",
        displayName: "Web Process",
        entrypoint: "npm start",
        port: 8080,
        isIngressEnabled: true,
        ingressProtocol: "http",
        scalingStrategy: { type: "manual", config: { instanceCount: 1 } },
        resourceTypeId: SMALL,
        livenessProbe: { httpGet: { path: "/health", port: 8080, scheme: "HTTP" }, periodSeconds: 10 },
        readinessProbe: { exec: { command: ["cat", "/tmp/ready"] }, initialDelaySeconds: 5 },
      },
      {
        ...worker,
        key: "worker",
        type: "worker",
        displayName: "Queue Worker",
        entrypoint: "npm run worker",
        scalingStrategy: {
          type: "horizontal",
          config: {
            minInstanceCount: 2,
            maxInstanceCount: 10,
            targetCpuPercent: 70,
            targetMemoryPercent: null,
            scaleUpIntervalSeconds: 60,
            scaleUpIncrement: 2,
            scaleDownIntervalSeconds: 300,
            scaleDownIncrement: 1,
          },
        },
        resourceTypeId: LARGE,
      },
      {
        ...cron,
        key: "cleanup",
        type: "cron",
        displayName: "Nightly Cleanup",
        entrypoint: "npm run cleanup",
        scalingStrategy: { type: "manual", config: { instanceCount: 1 } },
        resourceTypeId: SMALL,
        schedule: "0 3 * * *",
        timeZone: "America/New_York",
      },
      {
        ...job,
        key: "migrate",
        type: "job",
        displayName: "Migrations",
        entrypoint: "npm run migrate",
        resourceTypeId: SMALL,
        jobStartPolicy: "beforeDeployment",
      },
      { ...sparse, key: "x", entrypoint: "" },
      {
        ...grpc,
        key: "rpc",
        type: "web",
        displayName: "RPC",
        entrypoint: "./serve",
        port: 50_051,
        isIngressEnabled: true,
        ingressProtocol: "grpc",
        scalingStrategy: { type: "manual", config: { instanceCount: 3 } },
        resourceTypeId: LARGE,
        livenessProbe: { tcpSocket: { port: 50_051 }, failureThreshold: 3 },
      },
    ])
    .onConflictDoNothing();
}

async function insertKeys(db: Pick<NodePgDatabase, "insert">): Promise<void> {
  const key = (n: number, name: string) => ({
    id: uuid(n),
    companyId: SEED_COMPANY,
    name,
    source: "DASHBOARD" as const,
    ...written,
  });
  await db
    .insert(apiKeys)
    .values([
      key(201, "Full access"),
      key(202, "My App only"),
      key(203, "No permission"),
      { ...key(204, "Disabled"), isEnabled: false },
      { ...key(205, "Expired"), expiresAt: PAST },
      key(206, "In rotation"),
      { ...key(207, "Other company"), companyId: OTHER_COMPANY },
    ])
    .onConflictDoNothing();
  const tokenOf = (n: number, plain: string, expiresAt: Date | null = null) => ({
    hash: createHash("sha256").update(plain).digest("hex"),
    apiKeyId: uuid(n),
    masked: `${plain.slice(0, 6)}…${plain.slice(-4)}`,
    expiresAt,
    createdAt,
  });
  await db
    .insert(apiKeyTokens)
    .values([
      tokenOf(201, SEED_TOKENS.full),
      tokenOf(202, SEED_TOKENS.scoped),
      tokenOf(203, SEED_TOKENS.unpermitted),
      tokenOf(204, SEED_TOKENS.disabled),
      tokenOf(205, SEED_TOKENS.expired),
      tokenOf(206, SEED_TOKENS.rotatedOld, FAR),
      tokenOf(206, SEED_TOKENS.rotatedNew),
      tokenOf(207, SEED_TOKENS.otherCompany),
    ])
    .onConflictDoNothing();
  const mayRead = (n: number, resourceId: string | null = null, companyId = SEED_COMPANY) => ({
    id: uuid(n + 100),
    apiKeyId: uuid(n),
    companyId,
    permission: "APP:READ" as const,
    resourceId,
  });
  const mayWrite = (...reader: Parameters<typeof mayRead>) => ({
    ...mayRead(...reader),
    id: uuid(reader[0] + 110),
    permission: "APP:UPDATE" as const,
  });
  await db
    .insert(apiKeyCapabilities)
    .values([
      mayRead(201),
      mayWrite(201),
      mayRead(202, APPLICATION),
      mayWrite(202, APPLICATION),
      mayRead(204),
      mayRead(205),
      mayRead(206),
      mayRead(207, null, OTHER_COMPANY),
      mayWrite(207, null, OTHER_COMPANY),
    ])
    .onConflictDoNothing();
}
