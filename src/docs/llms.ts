// llms.txt, what agents read first (https://llmstxt.org): text and examples without headings, then lists of links.
import { LANGUAGES, quote } from "./page/samples.ts";
import type { Document, Schema } from "./reference/document.ts";
import { contentOf, type Endpoint, endpointsOf, exampleOf, ORIGIN } from "./reference/operation.ts";
import { describeType } from "./reference/words.ts";

export function writeLlms(document: Document): string {
  const { info, servers, tags } = document;
  const endpoints = endpointsOf(document);
  const [error] = endpoints.flatMap((one) => Object.values(contentOf(one.operation.responses[404])?.examples ?? {}));
  const sections = tags.map(({ name }) => {
    const own = endpoints.filter(({ operation }) => operation.tags.includes(name));
    return `## ${name}\n\n${own.map(writeLink).join("\n")}\n`;
  });
  return `# ${info.title}

> ${info.summary}. JSON over HTTPS; the base URL is \`${servers[0].url}\` on the host of this file.

${info.description}

You cannot make a key: ask the person you work for, and never write it into code or a log. Send a write with
\`?dry_run=true\` first if a person has not seen it.

Statuses beside 200:

${writeStatuses(endpoints)}

An error:

\`\`\`json
${JSON.stringify(error?.value)}
\`\`\`

A request for each operation. A body is JSON, and \`Content-Type\` says so. Replace \`${ORIGIN}\` by the scheme and
host of this file, and the ids, which are UUIDs, by yours:

\`\`\`sh
${endpoints.map(writeCall).join("\n")}
\`\`\`

${sections.join("\n")}
## Documentation

- [OpenAPI document](/v3/openapi.full.json): every field, bound, header and error, with examples; read it before you write a client
- [The same in short](/v3/openapi.json): to read one operation at a time
- [Reference](/docs): the same for people, to read and to try
`;
}

function writeLink({ method, path, operation }: Endpoint): string {
  const { operationId, summary, description, parameters = [], requestBody } = operation;
  const query = parameters.filter((one) => one.in === "query");
  const headers = parameters.filter((one) => one.in === "header");
  const { properties = {}, required = [] } = contentOf(requestBody)?.schema ?? {};
  const said = [
    `\`${method} ${path}\`. ${description.replaceAll(/\s+/g, " ")}`,
    list("Query", query, ({ name, schema }) => `\`${name}\` (${describeValues(schema)})`),
    list("Headers", headers, ({ name }) => `\`${name}\``),
    list("Body", Object.keys(properties), (name) => `\`${name}\`${required.includes(name) ? " (required)" : ""}`),
  ];
  return `- [${summary}](/docs#${operationId}): ${said.filter(Boolean).join(" ")}`;
}

const list = <T>(title: string, items: T[], write: (item: T) => string): string | false =>
  items.length > 0 && `${title}: ${items.map(write).join(", ")}.`;

/** Says what may be sent, without the type where the default shows it. */
const describeValues = (schema: Schema): string =>
  describeType(schema, "request").replace(/^\w+, (?=.*\bdefault )/, "");

/** Writes a call with the first example of the body, and the others as what may stand instead. */
function writeCall(endpoint: Endpoint): string {
  const { summary, requestBody } = endpoint.operation;
  const [first, ...others] = Object.values(contentOf(requestBody)?.examples ?? {});
  const call = LANGUAGES.curl?.sampleOf(exampleOf(endpoint, first && JSON.stringify(first.value)));
  const name = first === undefined ? summary : `${summary}: ${first.summary}`;
  return [
    `# ${name}\n${call}`,
    ...others.map((other) => `# or ${other.summary}: -d ${quote(JSON.stringify(other.value))}`),
  ].join("\n");
}

/** Says once what each status means: every sentence that an operation has about it. */
function writeStatuses(endpoints: Endpoint[]): string {
  const sentences = new Map<string, Set<string>>();
  for (const { operation } of endpoints) {
    for (const [status, { description }] of Object.entries(operation.responses)) {
      const known = sentences.get(status) ?? new Set();
      sentences.set(status, known.union(new Set(description.split(/(?<=\.) /))));
    }
  }
  sentences.delete("200");
  const lines = [...sentences].map(([status, meaning]) => `- ${status}: ${[...meaning].join(" ")}`);
  return lines.sort().join("\n");
}
