// What operators ask: whether the Worker answers, and `POST /ops/purge`, for the control plane, after it has written.
import { readConfig } from "../shared/config.ts";
import { HttpError } from "../shared/errors.ts";
import { MAX_PURGE_BODY_BYTES, PURGE_LIMIT } from "../shared/limits.ts";
import { type Answer, json } from "./answer.ts";
import { holdsSecret } from "./bearer.ts";
import type { Exchange } from "./exchange.ts";
import { purgeChanged } from "./purge.ts";
import { addressBudget, spend } from "./rate-limits.ts";
import { readText } from "./request-body.ts";

export const answerHealth = ({ env }: Exchange): Answer => json({ status: "ok", version: env.CF_VERSION_METADATA?.id });

export async function purge({ context, env, exports, request, sent }: Exchange): Promise<Answer> {
  const address = request.headers.get("cf-connecting-ip");
  await spend(PURGE_LIMIT, env, address === null ? "local" : addressBudget(address));
  const { purgeSecrets } = readConfig(env);
  if (!(await holdsSecret(sent.authorization, purgeSecrets))) {
    throw new HttpError({ reason: sent.authorization === undefined ? "missing_secret" : "invalid_secret" });
  }
  const body = await readText(context, MAX_PURGE_BODY_BYTES);
  return json({ purged: await purgeChanged(body, (tags) => exports.Api({ props: {} }).purge({ tags })) });
}
