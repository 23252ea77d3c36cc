import { check, pgTable, text } from "drizzle-orm/pg-core";
import { createdAt, hasLength, id, isUuid, updatedAt } from "../../db/columns.ts";

export const companies = pgTable(
  "companies",
  {
    id: id(),
    name: text("name").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    check("companies_id_uuid", isUuid(table.id)),
    check("companies_name_length", hasLength(table.name, 1, 255)),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts). */
export const RIGHTS = ["select (id, name) on companies"];
