// `npm run keys`: API keys, for operators.
import { BOUNDS } from "./keys/edge.ts";
import { JSON_SHAPE } from "./keys/format.ts";
import { defineIssue } from "./keys/issue.ts";
import { defineList } from "./keys/list.ts";
import { defineRotate } from "./keys/rotate.ts";
import { defineSwitches } from "./keys/switch.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
${JSON_SHAPE}
  token         of \`issue\` and \`rotate\` alone

The database is that of DATABASE_URL, or of a running \`npm run dev\`.

After a change, the edge is to be purged: with --purge-url, or later with
npm run purge -- --key <id>. That of \`npm run dev\` is purged unasked. Else:
${BOUNDS}

Exit codes: 0 done; 1 not done; 2 the command or the environment is wrong;
3 done, but the purge failed.`;

export default await command(import.meta, () => {
  const program = createProgram("keys")
    .usage("<command> [options]     (npm run keys -- <command> …)")
    .description(
      "Makes, shows, rotates and ends API keys. Only a SHA-256 of a token and four digits of either end are stored.",
    )
    .addHelpText("after", NOTES);
  defineIssue(program);
  defineList(program);
  defineRotate(program);
  defineSwitches(program);
  return program;
});
