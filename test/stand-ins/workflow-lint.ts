// The faults of GitHub workflows that zizmor finds and actionlint does not, as far as they concern this project: zizmor
// itself is not on npm, nor among Debian's packages. https://docs.zizmor.sh/audits/
import { parse, parseDocument, visit } from "yaml";

export interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

export interface Job {
  uses?: string;
  if?: string;
  container?: string;
  permissions?: Record<string, string> | string;
  environment?: unknown;
  env?: object;
  secrets?: unknown;
  steps?: Step[];
  "timeout-minutes"?: number;
}

export interface Workflow {
  on: Record<string, unknown>;
  permissions?: Record<string, string> | string;
  concurrency?: unknown;
  env?: object;
  jobs: Record<string, Job>;
}

export const parseWorkflow = (source: string): Workflow => parse(source);

/** @returns names of zizmor's audits with where they apply, empty if all is well */
export function auditWorkflow(source: string): string[] {
  const workflow = parseWorkflow(source);
  const findings = auditPins(source);
  const add = (audit: string, where: string) => findings.push(`${audit}: ${where}`);

  for (const trigger of ["pull_request_target", "workflow_run", "issue_comment"]) {
    if (trigger in workflow.on) add("dangerous-triggers", trigger);
  }
  if (JSON.stringify(workflow.permissions) !== "{}") add("excessive-permissions", "the workflow");
  if (workflow.concurrency === undefined) add("concurrency-limits", "the workflow");
  if (holdsSecret(workflow.env)) add("overprovisioned-secrets", "the workflow");

  for (const [name, job] of Object.entries(workflow.jobs)) {
    if (job.permissions === undefined || typeof job.permissions === "string") add("excessive-permissions", name);
    // Who pushed last need not be who wrote it.
    if (/\bgithub\.(?:triggering_)?actor\b/.test(job.if ?? "")) add("bot-conditions", name);
    if (job.container !== undefined && !/:[\w.-]*\d[\w.-]*$/.test(job.container)) add("unpinned-images", name);
    if (job.secrets === "inherit") add("secrets-inherit", name);
    if (job.uses === undefined && job["timeout-minutes"] === undefined) add("no-timeout", name);
    if (holdsSecret(job.env)) add("overprovisioned-secrets", name);
    const steps = job.steps ?? [];
    if (steps.some(holdsSecret)) {
      if (job.environment === undefined) add("secrets-outside-env", name);
      if ("pull_request" in workflow.on && !job.if?.includes(FORK_GUARD)) add("secrets-for-forks", name);
    }
    for (const [index, step] of steps.entries()) auditStep(step, (audit) => add(audit, `${name}, step ${index + 1}`));
  }
  return findings;
}

/** A pull request of a fork is no longer let in where this is said. */
const FORK_GUARD = "github.event.pull_request.head.repo.full_name == github.repository";

function auditStep(step: Step, add: (audit: string) => void): void {
  if (step.run?.includes("${{")) add("template-injection");
  if (/\b(?:GITHUB_ENV|GITHUB_PATH)\b/.test(step.run ?? "")) add("github-env");
  const isCheckout = step.uses?.startsWith("actions/checkout@");
  if (isCheckout && step.with?.["persist-credentials"] !== false) add("artipacked");
  const isSetup = step.uses?.startsWith("actions/setup-node@");
  if (isSetup && (step.with?.["package-manager-cache"] !== false || "cache" in step.with)) add("cache-poisoning");
}

const holdsSecret = (value: unknown): boolean => /\$\{\{[^}]*\bsecrets\b/.test(JSON.stringify(value ?? null));

/** Actions by commit, with their version beside it. The comment is not part of what YAML means. */
function auditPins(source: string): string[] {
  const findings: string[] = [];
  visit(parseDocument(source), {
    Pair(_, { key, value }) {
      if (String(key) !== "uses") return;
      const { value: action, comment } = value as { value: string; comment?: string | null };
      if (action.startsWith("./")) return;
      if (!/^[\w-]+\/[\w/-]+@[0-9a-f]{40}$/.test(action)) findings.push(`unpinned-uses: ${action}`);
      else if (!/^ v\d+\.\d+\.\d+$/.test(comment ?? "")) findings.push(`ref-version-mismatch: ${action}`);
    },
  });
  return findings;
}
