// Runs a statement the way the proxy does, and writes its result as the JSON of the response.
import pg from "pg";
import { cancelledError, EndpointError } from "./errors.ts";
import { MAX_BODY_BYTES } from "./http.ts";
import type { Statement } from "./payload.ts";
import type { Lease } from "./pool.ts";
import { type RowFormat, rowWriter, type TextValue } from "./rows.ts";

/** How much response the results of one request have become so far. */
export interface ResponseSize {
  bytes: number;
}

/**
 * Runs one statement through the extended protocol, unnamed, with text parameters and results. The protocol allows one
 * command per statement, and infers parameter types as for any prepared statement.
 *
 * @returns JSON text: `{ fields, rows, command, rowCount, rowAsArray }`
 * @throws pg.DatabaseError from Postgres; EndpointError 507 when the response gets too large, which ends the connection,
 *   and 400 when the lease was cancelled before
 */
export async function runStatement(
  { client, cancelled }: Lease,
  { query, params, arrayMode }: Statement,
  { rawText, arrayMode: defaultArrayMode }: RowFormat,
  size: ResponseSize,
): Promise<string> {
  if (cancelled) throw cancelledError();
  const format = { rawText, arrayMode: arrayMode ?? defaultArrayMode };
  const rows: TextValue[][] = [];
  let textBytes = 0;
  const result = await submit(client, query, params, (row) => {
    // At least so much will be written: an endless result must not fill the memory first.
    if (textBytes > MAX_BODY_BYTES) throw tooLarge();
    for (const value of row) textBytes += value?.length ?? 0;
    rows.push(row);
  });

  const elementTypes = rawText || rows.length === 0 ? undefined : await findElementTypes(client, result.fields);
  const write = rowWriter(result.fields, { ...format, elementTypes });
  const written: string[] = [];
  for (const row of rows) {
    // The proxy looks before it adds: a response may exceed the limit by its last row.
    if (size.bytes > MAX_BODY_BYTES) throw tooLarge();
    const json = write(row);
    written.push(json);
    size.bytes += Buffer.byteLength(json) + 1;
  }

  const fields = JSON.stringify(result.fields);
  const command = JSON.stringify(result.command ?? "");
  size.bytes += fields.length + command.length;
  return `{"fields":${fields},"rows":[${written.join(",")}],"command":${command},"rowCount":${result.rowCount ?? null},"rowAsArray":${format.arrayMode}}`;
}

function tooLarge(): EndpointError {
  return new EndpointError(507, { message: `response is too large (max is ${MAX_BODY_BYTES} bytes)` });
}

interface CommandResult {
  fields: pg.FieldDef[];
  /** First word of the command tag; null after an empty statement. */
  command: string | null;
  rowCount: number | null;
}

function submit(
  client: pg.Client,
  text: string,
  values: TextValue[],
  onRow: (row: TextValue[]) => void,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    let failed = false;
    // The published types lack `queryMode`: without it, pg sends a statement without parameters as a simple Query,
    // which may hold several commands.
    const config: pg.QueryArrayConfig & { queryMode: "extended" } = {
      text,
      values,
      rowMode: "array",
      queryMode: "extended",
    };
    const query = new pg.Query<TextValue[]>(config);
    query.on("row", (row) => {
      if (failed) return;
      try {
        onRow(row);
      } catch (error) {
        failed = true;
        reject(error);
        // Nothing else stops Postgres from sending the rest.
        void client.end();
      }
    });
    query.on("error", reject);
    query.on("end", resolve);
    client.query(query);
  });
}

/** Array types by OID among the columns' types, with the type of their elements. */
async function findElementTypes(client: pg.Client, fields: pg.FieldDef[]): Promise<Map<number, number>> {
  const types = [...new Set(fields.map((field) => field.dataTypeID))];
  const elementTypes = new Map<number, number>();
  await submit(
    client,
    "SELECT typarray, oid FROM pg_catalog.pg_type WHERE typarray = ANY ($1::oid[])",
    [`{${types.join(",")}}`],
    ([array, element]) => elementTypes.set(Number(array), Number(element)),
  );
  return elementTypes;
}
