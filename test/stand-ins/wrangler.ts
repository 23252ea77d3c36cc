// Wrangler, as the commands know it: arguments in; changes of the account, an exit code and output entries out.
// test/cli/deploy/wrangler.releases.test.ts holds the real one to the same.
import { parseArgs } from "node:util";
import { readWorkerConfig } from "../../src/cli/deploy/worker-config.ts";
import type { RunWrangler } from "../../src/node/context.ts";
import { type Account, API_TOKEN, labelOf, PREVIEWS, SCRIPT, urlOf } from "./cloudflare.ts";

const [FLAG, TEXT] = [{ type: "boolean" }, { type: "string" }] as const;
const FLAGS = { json: FLAG, yes: FLAG, "ignore-base-config": FLAG, "skip-confirmation": FLAG };
const OPTIONS = { ...FLAGS, tag: TEXT, message: TEXT, name: TEXT };

/** @param onChange told of each command that has changed something: its words, and the name of a preview */
export function fakeWrangler(account: Account, onChange: (did: string) => void): RunWrangler {
  return async (args, secrets = {}) => {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const { name = "", message, json, yes } = values;
    const annotations = { "workers/tag": values.tag, "workers/message": message };
    const bindings = Object.entries(secrets).map(([secret, text]) => ({ type: "secret_text", name: secret, text }));
    const upload = { bindings, keep_bindings: ["secret_text"], annotations };
    const call = async (what: string, body: object = {}, query = "") =>
      (await account.call(what, { json: { ...body }, query: new URLSearchParams(query) })) as Record<string, string>;
    const urls = (label: string) => (account.urls.previews_enabled ? [urlOf(label)] : []);

    /** What `--json` prints, or what is told as an output entry. */
    const commands: Record<string, (...rest: string[]) => Promise<object>> = {
      "auth token": async () => ({ type: "oauth", token: API_TOKEN }),
      "deployments list": async () =>
        Object.values(await call(`GET ${SCRIPT}/deployments`))
          .flat()
          .reverse(),
      "versions view": (id) => call(`GET ${SCRIPT}/versions/${id}`),
      deploy: async () => {
        const { etag: version_id } = await call(`PUT ${SCRIPT}`, upload);
        Object.assign(account.urls, { enabled: true, previews_enabled: true });
        return { type: "deploy", version_id, targets: ["schedule: * * * * *", urlOf()] };
      },
      "versions upload": async () => {
        const { id: version_id = "" } = await call(`POST ${SCRIPT}/versions`, upload);
        return { type: "version-upload", version_id, preview_url: urls(labelOf(version_id))[0] };
      },
      "versions deploy": (...shares) => {
        const versions = shares
          .map((share) => share.split(/[@%]/))
          .map(([version_id, percentage]) => {
            return { version_id, percentage: Number(percentage) };
          });
        return call(`POST ${SCRIPT}/deployments`, { versions, annotations });
      },
      rollback: (version_id) => {
        const versions = [{ version_id, percentage: 100 }];
        return call(`POST ${SCRIPT}/deployments`, { versions, annotations }, "force=true");
      },
      "triggers deploy": async () => {
        account.urls.enabled = (await readWorkerConfig()).hasWorkersDev;
        return {};
      },
      preview: async () => {
        const query = `ignore_base_config=${values["ignore-base-config"]}`;
        if (!account.previews.has(name)) await call(`POST ${PREVIEWS}`, { name }, query);
        const { urls: deployment_urls } = await call(`POST ${PREVIEWS}/${name}/deployments`, upload);
        return { type: "preview", preview_urls: urls(name), deployment_urls };
      },
      "preview delete": () => call(`DELETE ${PREVIEWS}/${name}`),
    };
    const words = [positionals.slice(0, 2).join(" "), `${positionals[0]}`].find((some) => some in commands) ?? "";
    const rest = positionals.slice(words.split(" ").length);
    // There is no terminal at which it could ask.
    const asks = { "versions deploy": !yes, rollback: !yes, "preview delete": !values["skip-confirmation"] }[words];
    const run = commands[words];
    if (run === undefined || asks) throw new Error(`The stand-in has no answer to wrangler ${args.join(" ")}`);
    try {
      const result = await run(...rest);
      if (json) return { exitCode: 0, stdout: JSON.stringify(result), stderr: "", entries: [] };
      onChange([...positionals, ...(name === "" ? [] : [name])].join(" "));
      return { exitCode: 0, stdout: "", stderr: "", entries: [{ type: "", ...result }] };
    } catch (error) {
      const { code, message: stderr } = error as Error & { code?: number };
      return {
        exitCode: 1,
        stdout: "",
        stderr: `${stderr} [code: ${code}]`,
        entries: [{ type: "command-failed", code }],
      };
    }
  };
}
