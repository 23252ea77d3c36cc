import type { CreateProcess } from "../../../openapi/process/body.ts";
import { readBody } from "../body.ts";
import type { Handler } from "../call.ts";
import { answerWrite } from "../write.ts";
import { checkProcess } from "./check.ts";
import { inLowerCase } from "./fields.ts";
import { failureOf } from "./refusal.ts";
import { slugOf } from "./slug.ts";
import { createProcessForKey } from "./write-query.ts";

export const createProcess: Handler = async (call) => {
  const { id } = call.path as { id: string };
  const body = inLowerCase(await readBody<CreateProcess>(call, checkProcess));
  const slug = body.type === "web" ? "web" : slugOf(body.display_name, body.type);
  return answerWrite(call, {
    resource: "Application",
    content: body,
    send: (request) =>
      createProcessForKey(call.db, { ...call.caller, ...request, applicationId: id, slug, columns: columnsOf(body) }),
    failureOf,
    tagsIn: () => ({ "process-list": [id] }),
  });
};

/** With what a new process begins where its creator has nothing to say. */
const columnsOf = (body: CreateProcess): object => ({
  ...body,
  entrypoint: body.entrypoint ?? "",
  is_ingress_enabled: body.type === "web",
  ingress_protocol: body.type === "web" ? "http" : null,
  ...(body.type === "cron" && { time_zone: body.time_zone ?? "UTC" }),
});
