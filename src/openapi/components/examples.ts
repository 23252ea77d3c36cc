/**
 * The ids that examples show: those of the data that `npm run dev` serves (drizzle/seed.ts), so that what a reader sees
 * is what a reader gets. A test compares every example with the answer itself.
 */
export const EXAMPLE_IDS = {
  company: "00000000-0000-4000-8000-000000000001",
  application: "00000000-0000-4000-8000-000000000011",
  bareApplication: "00000000-0000-4000-8000-000000000012",
  publicGitApplication: "00000000-0000-4000-8000-000000000014",
  dockerApplication: "00000000-0000-4000-8000-000000000015",
  previewApplication: "00000000-0000-4000-8000-000000000016",
  small: "00000000-0000-4000-8000-000000000021",
  large: "00000000-0000-4000-8000-000000000022",
  web: "00000000-0000-4000-8000-000000000101",
  worker: "00000000-0000-4000-8000-000000000102",
  cron: "00000000-0000-4000-8000-000000000103",
  job: "00000000-0000-4000-8000-000000000104",
  sparse: "00000000-0000-4000-8000-000000000105",
  run: "00000000-0000-4000-8000-000000000401",
  manualRun: "00000000-0000-4000-8000-000000000402",
  project: "00000000-0000-4000-8000-000000000031",
  cluster: "00000000-0000-4000-8000-000000000032",
  credential: "00000000-0000-4000-8000-000000000033",
  user: "00000000-0000-4000-8000-000000000034",
  apiKey: "00000000-0000-4000-8000-000000000201",
  request: "8f14e45f-ceea-467f-9f6b-2d8a1c0e5b3a",
} as const;

export const EXAMPLE_TIMESTAMP = "2025-01-30T00:00:00.000Z";

/** Named examples of one media type: https://spec.openapis.org/oas/v3.1.0#example-object */
export type Examples<T = unknown> = Record<string, { summary: string; value: T }>;
