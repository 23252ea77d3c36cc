// Keys for people. For programs a key is printed as it is: see Key.
import { printable } from "../../node/errors.ts";
import { table } from "../support/output.ts";
import type { Key } from "./read.ts";

/** Documented in `--help`; a program may rely on it. */
export const JSON_SHAPE = `A key in JSON:
  id, name
  company       { id, name }
  state         "live"      it can be used
                "rotating"  it can be used, with more than one token
                "disabled"  it can be used once it is enabled again
                "expired"   the key is over, or every token of it
                "revoked"   no token is left, for good
  tokens        [{ masked_token, is_expired, expires_at, last_used_at,
                created_at }], the oldest first
  capabilities  [{ permission, resource_id, resource_name }], null where it is
                for all of the company's applications
  history       [{ event, made_by, created_at }], the oldest first; event is
                "issued", "rotated", "disabled", "enabled" or "revoked", and
                what other writers have done is not in it
  bytes_written_today
                since midnight (UTC); from KEY_DAILY_WRITE_BYTES on, writes are refused
  expires_at, last_used_at, created_at, updated_at
                ISO 8601 in UTC; the first two may be null`;

const MAX_NAME_LENGTH = 32;
const HEADINGS = ["ID", "COMPANY", "NAME", "STATE", "TOKEN", "EXPIRES", "LAST USED"];

/** A line for each key, and one more for each further token. */
export function formatKeys(keys: readonly Key[]): string {
  const rows = keys.flatMap(({ id, company, name, state, tokens, expires_at, last_used_at }) => {
    const [first = ["none", toMinutes(expires_at), toMinutes(last_used_at)], ...others] = tokens.map((token) => [
      token.masked_token,
      // ISO 8601 sorts as time does.
      toMinutes([expires_at, token.expires_at].filter((moment) => moment !== null).sort()[0] ?? null),
      toMinutes(token.last_used_at),
    ]);
    return [
      [id, shortened(company.name), shortened(name), state, ...first],
      ...others.map((cells) => ["", "", "", "", ...cells]),
    ];
  });
  return table([HEADINGS, ...rows]);
}

/** All that is known of one key. */
export const formatKey = (key: Key): string =>
  table([
    ["id", key.id],
    ["company", `${key.company.name} (${key.company.id})`],
    ["name", key.name],
    ["state", key.state],
    ...labelled("token", key.tokens, ({ masked_token, is_expired, expires_at, last_used_at }) =>
      [
        masked_token,
        ...(expires_at === null ? [] : [`${is_expired ? "expired" : "until"} ${expires_at}`]),
        last_used_at === null ? "never used" : `last used ${last_used_at}`,
      ].join("  "),
    ),
    ...labelled("may", key.capabilities, ({ permission, resource_id, resource_name }) =>
      resource_id === null ? `${permission} of all applications` : `${permission} of ${resource_name} (${resource_id})`,
    ),
    ["expires", key.expires_at ?? "never"],
    ["last used", key.last_used_at ?? "never"],
    ["written", `${key.bytes_written_today} bytes today (UTC)`],
    ["created", key.created_at],
    ["updated", key.updated_at],
    ...labelled("history", key.history, ({ event, made_by, created_at }) => `${created_at}  ${event} by ${made_by}`),
  ]);

const labelled = <T>(label: string, values: readonly T[], describe: (value: T) => string): [string, string][] =>
  values.length === 0 ? [[label, "none"]] : values.map((value, n) => [n === 0 ? label : "", describe(value)]);

const toMinutes = (moment: string | null): string =>
  moment === null ? "never" : `${moment.slice(0, 16).replace("T", " ")} UTC`;

function shortened(name: string): string {
  const characters = [...printable(name)];
  return characters.length <= MAX_NAME_LENGTH
    ? characters.join("")
    : `${characters.slice(0, MAX_NAME_LENGTH - 1).join("")}…`;
}
