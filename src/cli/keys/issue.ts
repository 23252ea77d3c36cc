import { type Command, InvalidArgumentError, Option } from "commander";
import { findDatabase, withDatabase } from "../../node/database.ts";
import { apiKeyPermission } from "../../worker/resources/api-key/table.ts";
import { note } from "../support/output.ts";
import { type Ending, parseEnding, parseIds } from "../support/parse.ts";
import { issueKey } from "./change.ts";
import { formatKey } from "./format.ts";
import { printToken, type TokenOptions, withTokenOptions } from "./options.ts";
import type { Permission } from "./read.ts";

interface IssueOptions extends TokenOptions {
  company: string;
  name: string;
  permission: Permission[];
  application?: string[];
  expires?: Ending;
}

const MAX_NAME_LENGTH = 255;

const EXAMPLES = `
Examples:
  npm run keys -- issue --company "Example Company" --name CI --expires 90d
  npm run keys -- issue --company "Example Company" --name "My App only" \\
    --application 00000000-0000-4000-8000-000000000011
  TOKEN=$(npm run -s keys -- issue --company "Example Company" --name CI --quiet)

The edge keeps no refusals: a new key works at once, without a purge.`;

export function defineIssue(program: Command): void {
  const command = program
    .command("issue")
    .summary("make a key and print its token, this once")
    .description("Makes a key. Its token goes to stdout, this once: it is stored nowhere. All else goes to stderr.")
    .requiredOption("--company <id or name>", "whose key it is: an id, or the exact name")
    .requiredOption("--name <name>", "for people", parseName)
    .addOption(
      new Option("--permission <permission...>", "what it may do")
        .choices(apiKeyPermission.enumValues)
        .default(["APP:READ"], "APP:READ"),
    )
    .option("--application <id...>", "to these applications alone (default: to all of the company)", parseIds)
    .option("--expires <when>", "90d, 12h, 2027-01-31 (UTC) or 2027-01-31T12:00:00Z (default: never)", parseEnding);
  withTokenOptions(command).addHelpText("after", EXAMPLES).action(issue);
}

async function issue(options: IssueOptions): Promise<void> {
  const request = {
    company: options.company,
    name: options.name,
    permissions: [...new Set(options.permission)],
    applications: [...new Set(options.application)],
    expires: options.expires,
  };
  const issued = await withDatabase(findDatabase(), (db) => issueKey(db, request));
  if (!options.quiet) note(`Issued a key.\n${formatKey(issued.key)}\nIts token, this once:`);
  await printToken(issued, options);
}

function parseName(text: string): string {
  const { length } = [...text];
  if (length >= 1 && length <= MAX_NAME_LENGTH) return text;
  throw new InvalidArgumentError(`Expected 1 to ${MAX_NAME_LENGTH} characters.`);
}
