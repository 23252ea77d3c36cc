import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { Failure, persist, type Target } from "./deployment.ts";
import { CHECKS, type Check, Skipped } from "./index.ts";

/**
 * Tries a deployment: one claim after another. A new name has to spread, and a new version: what fails is tried again until
 * the target's time is over.
 *
 * @param report is told what became of each, a line at a time; on stderr by default
 * @throws CommandError that says how many failed, or that Cloudflare Access lets nobody in
 */
export async function smoke(target: Target, report: (line: string) => unknown = note): Promise<void> {
  const deadline = context().now() + target.waitSeconds * 1_000;
  const checks = CHECKS.filter(({ needs }) => needs !== "version" || target.version !== undefined);
  let failed = 0;
  await report(target.origin);
  for (const check of checks) {
    const reason = await reasonAgainst(check, target, (deadline - context().now()) / 1_000);
    if (reason === undefined) await report(`  passed   ${check.claim}`);
    else if (reason instanceof Skipped) await report(`  skipped  ${check.claim} (${reason.message})`);
    else {
      const advice = check.advice === undefined ? "" : `. ${check.advice}`;
      await report(`  FAILED   ${check.claim}: ${reason.message}${advice}`);
      failed++;
    }
  }
  if (failed > 0) throw new CommandError(`${target.origin} failed ${failed} of ${checks.length} checks.`);
}

async function reasonAgainst({ needs, holds }: Check, target: Target, seconds: number): Promise<Error | undefined> {
  const { reader, isReadOnly, isCached, purgeSecret } = target;
  if (needs === undefined || needs === "version") {
    // Nothing else is needed.
  } else if (reader === undefined) return new Skipped("no API key given");
  else if ((needs === "writes" || needs === "purges") && isReadOnly) return new Skipped("--read-only");
  else if (needs === "cache" && !isCached) return new Skipped("no cache expected");
  else if (needs === "purges" && !(isCached && purgeSecret))
    return new Skipped("PURGE_SECRET not given, or nothing is cached for long");
  let failure: Failure | undefined;
  const attempt = () =>
    holds(target).catch((error) => {
      if (error instanceof Failure) failure = error;
      // What has failed before was possible to try.
      throw error instanceof Skipped ? (failure ?? error) : error;
    });
  return persist(seconds, attempt).then(
    () => undefined,
    (error) => {
      if (error instanceof Failure || error instanceof Skipped) return error;
      throw error;
    },
  );
}
