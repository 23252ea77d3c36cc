// The reference as one page of HTML. All of it can be read without the page's script, which adds sending and searching.
import type { Document, Response } from "./document.ts";
import { renderInside } from "./fields.ts";
import {
  contentOf,
  type Endpoint,
  endpointsOf,
  findHomes,
  ORIGIN,
  renderHeaderNames,
  renderMethod,
  renderOperation,
} from "./operation.ts";
import { type Html, html, inline, paragraphs } from "./words.ts";

/** Where the page finds its files. */
export interface PageFiles {
  style: string;
  script: string;
  icon: string;
}

export function renderReference(document: Document, files: PageFiles): string {
  const endpoints = endpointsOf(document);
  const homes = findHomes(endpoints);
  const byTag = Map.groupBy(endpoints, ({ operation }) => operation.tags[0]);
  const groups = document.tags.map(({ name, description }) => ({
    name,
    description,
    endpoints: byTag.get(name) ?? [],
  }));
  return renderShell(
    document.info.title,
    files,
    html`<script type="module" src="${files.script}"></script>
<link rel="alternate" href="/v3/openapi.full.json" type="application/json" title="OpenAPI document">`,
    html`
<header class="bar"><a href="#start">${document.info.title}</a><button popovertarget="contents">Contents</button></header>
<nav id="contents" popover aria-label="Contents">
<div class="scripted"><label for="search">Search</label>
<input id="search" type="search" placeholder="memory_limit, dry_run, 404" autocomplete="off"></div>
<p id="found-count" role="status" class="hint"></p>
<ul id="found" hidden></ul>
<div id="all">
<p><a href="#start">${document.info.title}</a></p>
${groups.map(
  (group) => html`<p class="hint">${group.name}</p>
<ul>${group.endpoints.map(({ method, operation }) => html`<li><a href="#${operation.operationId}">${operation.summary} ${method !== "GET" && renderMethod(method)}</a></li>`)}</ul>`,
)}
<p class="hint">In every response</p>
<ul><li><a href="#errors">Errors</a></li><li><a href="#headers">Headers</a></li></ul>
</div>
</nav>
<main id="main">
${renderStart(document)}
${groups.map(
  (group) => html`<section><h2>${group.name}</h2>
<p>${inline(group.description)}</p>
${group.endpoints.map((endpoint) => renderOperation(endpoint, homes))}</section>`,
)}
${renderErrors(document, endpoints)}
${renderHeaders(endpoints)}
<footer><a href="/v3/openapi.full.json">OpenAPI document</a><a href="/llms.txt">For agents</a></footer>
</main>
<dialog id="confirm" aria-labelledby="confirm-question">
<h2 id="confirm-question">Send this request?</h2>
<p>It changes what the API holds.</p>
<p><code></code></p>
<form method="dialog"><button>Cancel</button><button class="send" value="send">Send</button></form>
</dialog>`,
  );
}

/** The page for a path that does not exist. */
export const renderNotFound = (title: string, files: PageFiles): string =>
  renderShell(
    `Not found: ${title}`,
    files,
    html``,
    html`<main><h1>There is no such page</h1>
<p><a href="/docs">The reference of the ${title}</a> lists every path.</p></main>`,
  );

const renderShell = (title: string, { style, icon }: PageFiles, head: Html, body: Html): string =>
  String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${icon}" type="image/svg+xml">
<link rel="stylesheet" href="${style}">
${head}
</head>
<body>${body}</body>
</html>
`);

const renderStart = ({ info, servers: [{ url }] }: Document): Html => html`<section id="start">
<h1>${info.title} <small>${info.version}</small></h1>
<div class="pair">
<div>
${info.description.split("\n\n").map(renderTopic)}
</div>
<div>
<div class="card">
<p class="hint">Base URL</p>
<p><code><span data-origin>${ORIGIN}</span>${url}</code></p>
<div class="scripted"><label for="key">API key</label>
<input id="key" type="password" placeholder="svl_…" autocomplete="off" spellcheck="false" aria-describedby="key-hint">
<p class="hint" id="key-hint">This page sends it with your requests, and forgets it when you leave.</p></div>
<p class="unscripted">Sending requests from this page takes JavaScript.</p>
</div>
</div>
</div>
</section>`;

/** Renders a paragraph; one that begins with its name has an anchor, by which the search finds it. */
function renderTopic(text: string): Html {
  const name = /^\*\*(.+?)\.?\*\*/.exec(text)?.[1];
  if (name === undefined) return paragraphs(text);
  return html`<div class="topic" id="about-${name.toLowerCase().replaceAll(/\W+/g, "-")}">${paragraphs(text)}</div>`;
}

/** Says what each other status than 200 means, in the words of the API, and each value of `Error-Reason`. */
function renderErrors({ components, "x-error-reasons": reasons }: Document, endpoints: Endpoint[]): Html {
  const responses = Map.groupBy(
    endpoints.flatMap(({ operation }) => Object.entries(operation.responses)),
    ([status]) => status,
  );
  responses.delete("200");
  const reasonsOf = (status: string) => Object.entries(reasons).filter(([, one]) => String(one.status) === status);
  return html`<section id="errors"><h2><a href="#errors">Errors and other statuses</a></h2>
<p>Every error has a body with these fields:</p>
${renderInside(components.schemas.Error ?? {}, { anchor: "Error", kind: "response", shown: new Set(), isUnfolded: true })}
${[...responses].sort().map(
  ([status, all]) => html`<article id="status-${status}">
<h3><a href="#status-${status}">${status}</a></h3>
${[...new Set(all.map(([, response]) => response))].map(
  (response) => html`<p>${inline(response.description)}</p>
${renderWords(response)}
${renderHeaderNames(response)}`,
)}
${renderTerms(
  "error",
  reasonsOf(status).map(([name, { description, advice }]) => [name, inline(`${description} ${advice}`)]),
)}
</article>`,
)}</section>`;
}

function renderWords(response: Response): Html | false {
  const examples = Object.values(contentOf(response)?.examples ?? {});
  if (examples.length === 0) return false;
  return html`<ul>${examples.map(({ summary, value }) => {
    const { message, data } = value as { message: string; data: { message: string } };
    return html`<li>${summary}: <q>${inline(`${message} ${data.message}`)}</q></li>`;
  })}</ul>`;
}

function renderHeaders(endpoints: Endpoint[]): Html {
  const responses = endpoints.flatMap(({ operation }) => Object.values(operation.responses));
  const headers = new Map(responses.flatMap((response) => Object.entries(response.headers ?? {})));
  const terms = [...headers].map(
    ([
      name,
      {
        description,
        schema: { example },
      },
    ]): [string, Html] => [
      name,
      html`${inline(description)} ${example !== undefined && html`<small><code>${String(example)}</code></small>`}`,
    ],
  );
  return html`<section id="headers"><h2><a href="#headers">Headers</a></h2>${renderTerms("header", terms)}</section>`;
}

/** Names and what they mean, each with an anchor. */
function renderTerms(kind: string, terms: [name: string, meaning: Html][]): Html | false {
  if (terms.length === 0) return false;
  return html`<dl class="fields">${terms.map(
    ([name, meaning]) => html`<div class="field" id="${kind}-${name}">
<dt><a href="#${kind}-${name}"><code>${name}</code></a></dt>
<dd><p>${meaning}</p></dd></div>`,
  )}</dl>`;
}
