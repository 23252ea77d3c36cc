// The request that a form describes: written as samples, and sent.
import { find, findAll } from "./dom.ts";
import { writeCode } from "./highlight.ts";
import { type ApiRequest, LANGUAGES } from "./samples.ts";

/** Writes the samples beside a form for what is typed into it. */
export function writeSamples(form: HTMLFormElement): void {
  const samples = form.nextElementSibling as Element;
  const request = readRequest(form);
  for (const [language, { sampleOf }] of Object.entries(LANGUAGES)) {
    writeCode(find(`.${language} code`, samples), sampleOf(request));
  }
}

/** A path parameter that is not filled in yet is the document's example. */
function readRequest(form: HTMLFormElement): ApiRequest {
  const { method = "", path = "" } = form.dataset;
  const values = (place: string) =>
    findAll<HTMLInputElement>(`[data-in="${place}"]`, form).map(
      ({ dataset, value, placeholder }) =>
        [String(dataset.name), value.trim() || (place === "path" ? placeholder : "")] as const,
    );
  const inPath = Object.fromEntries(values("path"));
  const url = new URL(
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(inPath[name]))),
    location.origin,
  );
  for (const [name, value] of values("query")) if (value) url.searchParams.set(name, value);
  const headers = Object.fromEntries(values("header").filter(([, value]) => value));
  const body = form.querySelector("textarea")?.value.trim() || undefined;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { method, url: url.href, headers, body };
}

/** Sends what a form describes, and shows the response in it. A request that may change something is asked about first. */
export async function send(form: HTMLFormElement, key: string): Promise<void> {
  const request = readRequest(form);
  if (request.method !== "GET" && !(await isConfirmed(request))) return;
  const live = find(".live", form);
  const status = find("[role=status]", live);
  live.hidden = false;
  live.dataset.outcome = "waiting";
  status.textContent = "Waiting for the response";
  find(".headers", live).textContent = "";
  writeCode(find(".body", live), "");
  const startedAt = performance.now();
  try {
    const { method, url, headers, body = null } = request;
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(key && { Authorization: `Bearer ${key}` }) },
      body,
    });
    const text = await response.text();
    live.dataset.outcome = response.status < 400 ? "success" : "failure";
    status.textContent = `${response.status} · ${Math.round(performance.now() - startedAt)} ms`;
    find(".headers", live).textContent = [...response.headers].map((header) => header.join(": ")).join("\n");
    writeCode(find(".body", live), indented(text));
  } catch (error) {
    live.dataset.outcome = "failure";
    status.textContent = `No response: ${(error as Error).message}`;
  }
}

/** JSON as people read it, anything else as it is. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function isConfirmed({ method, url }: ApiRequest): Promise<boolean> {
  const dialog = find<HTMLDialogElement>("#confirm");
  find("code", dialog).textContent = `${method} ${url}`;
  find("[value=send]", dialog).textContent = `Send ${method}`;
  dialog.returnValue = "";
  dialog.showModal();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "send"), { once: true });
  return promise;
}
