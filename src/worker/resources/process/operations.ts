import type { Operations } from "../../api/operation.ts";
import { PAGE } from "../../shared/limits.ts";
import type { CreateProcess, UpdateProcess } from "./body.ts";
import { checkChange, checkProcess } from "./check.ts";
import type * as contract from "./contract.ts";
import { inLowerCase } from "./fields.ts";
import { getStatement, listStatement } from "./reads.ts";
import { failureOf } from "./refusals.ts";
import { slugOf } from "./slug.ts";
import { createStatement, deleteStatement, updateStatement } from "./writes.ts";

/** What there is at the path of a new process. */
const FIRST_PAGE = { limit: PAGE.defaultLimit, offset: 0 };

export const processOperations: Operations<typeof contract> = {
  listProcessesV3: {
    statement: listStatement,
    tags: ({ id }) => ({ application: [id], "process-list": [id] }),
    tagsIn: ({ data }) => ({
      process: data.map((process) => process.id),
      "resource-type": data.flatMap((process) => process.resource_type_id ?? []),
    }),
  },
  createProcessV3: {
    statements: createStatement,
    check: checkProcess,
    canonical: inLowerCase,
    values: (body) => ({
      ...FIRST_PAGE,
      columns: JSON.stringify(newColumns(body)),
      slug: body.type === "web" ? "web" : slugOf(body.display_name, body.type),
    }),
    failureOf,
    tags: ({ id }) => ({ "process-list": [id] }),
  },
  getProcessV3: {
    statement: getStatement,
    tags: ({ id, process_id }) => ({ application: [id], process: [process_id] }),
    tagsIn: ({ resource_type_id }) => (resource_type_id === null ? {} : { "resource-type": [resource_type_id] }),
  },
  updateProcessV3: {
    statements: updateStatement,
    check: checkChange,
    canonical: inLowerCase,
    values: (body) => ({ columns: JSON.stringify(changedColumns(body)) }),
    failureOf,
    // The list may have been read before the process was moved into it.
    tags: ({ id, process_id }) => ({ process: [process_id], "process-list": [id] }),
  },
  deleteProcessV3: {
    statements: deleteStatement,
    failureOf,
    tags: ({ id, process_id }) => ({ process: [process_id], "process-list": [id] }),
  },
};

/** With what a new process begins where its creator has nothing to say. */
const newColumns = (body: CreateProcess): object => ({
  ...body,
  entrypoint: body.entrypoint ?? "",
  is_ingress_enabled: body.type === "web",
  ingress_protocol: body.type === "web" ? "http" : null,
  ...(body.type === "cron" && { time_zone: body.time_zone ?? "UTC" }),
});

type Fields = Record<string, unknown>;

/** No process has these values: a client sends them for what its user has left out, as the official Terraform provider does. */
const PLACEHOLDERS: Fields = { port: 0, ingress_protocol: "", time_zone: "" };
/** Such a client sends these values for the same reason; from any other client they mean what they say. */
const AMBIGUOUS: Fields = { entrypoint: "", is_ingress_enabled: false };

/** Returns what the body changes: everything but placeholders. */
function changedColumns(body: UpdateProcess): object {
  const fields = Object.entries(body);
  if (!fields.some(([field, value]) => value === PLACEHOLDERS[field])) return body;
  const unchanged = { ...PLACEHOLDERS, ...AMBIGUOUS };
  return Object.fromEntries(fields.filter(([field, value]) => value !== unchanged[field]));
}
