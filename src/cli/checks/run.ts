import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { Deployment, Failure, type Target } from "./deployment.ts";
import { CHECKS, type Need, Skipped } from "./index.ts";

const RETRY_MS = 1_000;

/**
 * Tries a deployment: one claim after another.
 *
 * @param report is told what became of each, a line at a time; on stderr by default
 * @returns the version that responded, if it says so
 * @throws CommandError that says how many failed, or that Cloudflare Access lets nobody in
 */
export async function smoke(target: Target, report: (line: string) => unknown = note): Promise<string | undefined> {
  const deadline = context().now() + target.waitSeconds * 1_000;
  const deployment = new Deployment(target);
  const checks = CHECKS.filter(({ needs }) => needs !== "version" || target.version !== undefined);
  let failed = 0;
  await report(target.origin);
  for (const { claim, needs, advice, holds } of checks) {
    const reason = whySkipped(target, needs) ?? (await reasonAgainst(() => holds(deployment), deadline));
    if (reason instanceof Skipped) await report(`  skipped  ${claim} (${reason.message})`);
    else if (reason === undefined) await report(`  passed   ${claim}`);
    else {
      const words = advice === undefined ? reason.message : `${reason.message.replace(/\.$/, "")}. ${advice}`;
      await report(`  FAILED   ${claim}: ${words}`);
      failed++;
    }
  }
  if (failed > 0) throw new CommandError(`${target.origin} failed ${failed} of ${checks.length} checks.`);
  return deployment.answeredBy;
}

function whySkipped(target: Target, need: Need | undefined): Skipped | undefined {
  if (need === undefined || need === "version") return undefined;
  if (target.reader === undefined) return new Skipped("no API key given");
  if ((need === "writes" || need === "purges") && target.isReadOnly) return new Skipped("--read-only");
  if (need === "cache" && !target.isCached) return new Skipped("no cache expected");
  if (need === "purges" && !(target.isCached && target.purgeSecret))
    return new Skipped("PURGE_SECRET not given, or nothing is cached for long");
  return undefined;
}

/** A new name has to spread, and a new version: what fails is tried again until the deadline. */
async function reasonAgainst(holds: () => Promise<void>, deadline: number): Promise<Failure | Skipped | undefined> {
  let failure: Failure | undefined;
  for (;;) {
    try {
      await holds();
      return undefined;
    } catch (error) {
      // What has failed before was possible to try.
      if (error instanceof Skipped) return failure ?? error;
      if (!(error instanceof Failure)) throw error;
      failure = error;
      if (context().now() + RETRY_MS > deadline) return error;
    }
    await context().sleep(RETRY_MS);
  }
}
