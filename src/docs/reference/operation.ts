// One operation: its fields on the one side; on the other the request, ready to be sent, and examples of the response.
import { type ApiRequest, LANGUAGES } from "../page/samples.ts";
import type { Document, MediaType, Operation, Parameter, Response } from "./document.ts";
import { renderInside } from "./fields.ts";
import { describeType, type Html, html, inline, typeOf } from "./words.ts";

/** Stands for scheme and host until the page's script fills them in. */
export const ORIGIN = "https://<this host>";

export interface Endpoint {
  /** In upper case. */
  method: string;
  /** From the root, with the names of parameters in braces. */
  path: string;
  operation: Operation;
}

export function endpointsOf({ paths, servers: [{ url }] }: Document): Endpoint[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path: url + path, operation })),
  );
}

/** The components that are responses, by name, each with the id of the operation that shows it in full: one that reads. */
export function findHomes(endpoints: Endpoint[]): Map<string, string> {
  const homes = new Map<string, string>();
  for (const { operation } of [...endpoints.filter(({ method }) => method === "GET"), ...endpoints]) {
    const name = contentOf(operation.responses[200])?.schema.title;
    if (name !== undefined && !homes.has(name)) homes.set(name, operation.operationId);
  }
  return homes;
}

export const contentOf = (message: Pick<Response, "content"> | undefined): MediaType | undefined =>
  message?.content?.["application/json"];

export function renderOperation(endpoint: Endpoint, homes: Map<string, string>): Html {
  const { method, path, operation } = endpoint;
  const id = operation.operationId;
  const body = contentOf(operation.requestBody);
  const shown = new Set(homes.keys());
  return html`
<article class="pair" id="${id}">
<div>
<h3><a href="#${id}">${operation.summary}</a></h3>
<p class="endpoint">${renderMethod(method)} <code>${breakable(path)}</code></p>
<p>${inline(operation.description)}</p>
${body && html`<h4>Body</h4><p>${inline(body.schema.description)}</p>${renderInside(body.schema, { anchor: `${id}.body`, kind: "request", shown })}`}
${renderMainResponse(operation, homes)}
${renderOtherResponses(operation)}
</div>
<div>
${renderRequest(endpoint)}
<h4>Examples of the response</h4>
${Object.values(contentOf(operation.responses[200])?.examples ?? {}).map(
  ({ summary, value }, index) =>
    html`<details class="card example" ${index === 0 && "open"}><summary>${summary}</summary><pre><code>${toJson(value)}</code></pre></details>`,
)}
</div>
</article>`;
}

export const renderMethod = (method: string): Html => html`<b class="method ${method.toLowerCase()}">${method}</b>`;

/** Lets a path wrap where a segment begins. */
const breakable = (path: string): Html[] => path.split(/(?=\/)/).map((segment) => html`<wbr>${segment}`);

function renderMainResponse({ operationId, responses }: Operation, homes: Map<string, string>): Html | false {
  const response = responses[200];
  const schema = contentOf(response)?.schema;
  if (response === undefined || schema === undefined) return false;
  const isHome = homes.get(schema.title ?? "") === operationId;
  const anchor = isHome ? String(schema.title) : `${operationId}.response`;
  return html`<h4 id="${anchor}"><a href="#${anchor}">Response</a>${schema.items && html` <small>${typeOf(schema)}</small>`}</h4>
<p>${inline((isHome ? schema : response).description)}</p>
${renderInside(schema, { anchor, kind: "response", shown: new Set(homes.keys()) })}`;
}

/** Names the other statuses and all headers. The page says once, at its end, what they mean. */
const renderOtherResponses = ({ responses: { 200: main, ...others } }: Operation): Html =>
  html`<details class="others"><summary>Headers and errors</summary>
${renderHeaderNames(main)}
<dl class="statuses">${Object.entries(others).map(
    ([status, { description }]) =>
      html`<dt><a href="#status-${status}">${status}</a></dt><dd>${inline(description)}</dd>`,
  )}</dl></details>`;

export function renderHeaderNames(response: Response | undefined): Html | false {
  const names = Object.keys(response?.headers ?? {});
  if (names.length === 0) return false;
  return html`<p>Headers: ${names.map((name, index) => html`${index > 0 && ", "}<a href="#header-${name}">${name}</a>`)}</p>`;
}

/** The form that sends the request, and the same request in other languages. */
function renderRequest(endpoint: Endpoint): Html {
  const { method, path, operation } = endpoint;
  const { operationId: id, parameters = [], requestBody } = operation;
  const headers = parameters.filter((one) => one.in === "header");
  const others = parameters.filter((one) => one.in !== "header");
  const body = contentOf(requestBody);
  const bodies = Object.values(body?.examples ?? {});
  const bodyText = toJson(bodies[0]?.value ?? {});
  return html`<form class="card" data-method="${method}" data-path="${path}" autocomplete="off" autocapitalize="off" spellcheck="false" aria-label="${operation.summary}: request">
<h4>Request</h4>
${others.map((one) => renderParameter(id, one))}
${headers.length > 0 && html`<details><summary>${headers.map(({ name }) => name).join(", ")}</summary>${headers.map((one) => renderParameter(id, one))}</details>`}
${
  body &&
  html`${
    bodies.length > 1 &&
    html`<label for="${id}-example">Example</label>
<select id="${id}-example" class="example-choice">${bodies.map(({ summary, value }) => html`<option value="${toJson(value)}">${summary}</option>`)}</select>`
  }
<label for="${id}-body">Body</label>
<textarea id="${id}-body" rows="${bodyText.split("\n").length}">
${bodyText}</textarea>`
}
<div class="scripted"><button class="send" type="submit">Send</button><span class="hint">with <a href="#key" data-key>an API key</a></span></div>
<section class="live" aria-label="Response" hidden>
<p role="status"></p>
<details><summary>Headers</summary><pre class="headers"></pre></details>
<pre><code class="body"></code></pre>
</section>
</form>
${renderSamples(id, exampleOf(endpoint, body && bodyText))}`;
}

function renderParameter(id: string, { name, in: place, required = false, description, schema }: Parameter): Html {
  const values = schema.type === "boolean" ? [true, false] : schema.enum;
  const attributes = html`id="${id}-${name}" data-in="${place}" data-name="${name}" aria-describedby="${id}-${name}-hint" ${required && "required"}`;
  return html`<div class="parameter" id="${id}.${name}">
<label for="${id}-${name}"><code>${name}</code></label> ${required && html`<strong class="required">required</strong>`}
<p id="${id}-${name}-hint">${inline(description)} <small>${inline(describeType(schema, "request"))}</small></p>
${
  values === undefined
    ? html`<input ${attributes} placeholder="${String(schema.example ?? "")}">`
    : html`<select ${attributes}><option></option>${values.map((value) => html`<option>${String(value)}</option>`)}</select>`
}
</div>`;
}

/** The request that the examples of an operation's parameters make. */
export function exampleOf({ method, path, operation: { parameters = [] } }: Endpoint, body?: string): ApiRequest {
  const example = (name: string) => parameters.find((one) => one.in === "path" && one.name === name)?.schema.example;
  return {
    method,
    url: ORIGIN + path.replaceAll(/\{(\w+)\}/g, (_, name) => String(example(name))),
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body,
  };
}

const renderSamples = (id: string, request: ApiRequest): Html => html`<div class="card samples">
<button class="copy scripted" type="button">Copy</button>
<fieldset aria-label="Language of the sample">${Object.entries(LANGUAGES).map(
  ([value, { name }], index) =>
    html`<label><input type="radio" name="${id}-language" value="${value}" ${index === 0 && "checked"}>${name}</label>`,
)}</fieldset>
${Object.entries(LANGUAGES).map(([value, { sampleOf }]) => html`<pre class="${value}"><code>${sampleOf(request)}</code></pre>`)}
</div>`;

const toJson = (value: unknown): string => JSON.stringify(value, null, 2);
