// What the reference does beyond being read: it sends requests, writes samples for what is typed, and searches.
import { find, findAll } from "./dom.ts";
import { writeCode } from "./highlight.ts";
import { send, writeSamples } from "./request.ts";
import { enableSearch } from "./search.ts";

const key = find<HTMLInputElement>("#key");
// Only `npm run dev` says one (src/local/worker.ts).
const demoKey = document.querySelector<HTMLMetaElement>('meta[name="demo-key"]')?.content;

if (demoKey !== undefined) {
  key.value = demoKey;
  find("#key-hint").textContent = "A demo key is entered. What it reads and changes is data to try the API with.";
  // The examples have the ids of that data.
  for (const input of findAll<HTMLInputElement>('[data-in="path"]')) input.value = input.placeholder;
}

function nameKey(): void {
  const name = key.value === "" ? "no API key" : key.value === demoKey ? "the demo key" : "your API key";
  for (const link of findAll("[data-key]")) link.textContent = name;
}
key.addEventListener("input", nameKey);
nameKey();

for (const element of findAll("[data-origin]")) element.textContent = location.origin;
for (const code of findAll(".example code")) writeCode(code, code.textContent);

for (const form of findAll<HTMLFormElement>("form[data-path]")) {
  const example = form.querySelector<HTMLSelectElement>(".example-choice");
  const body = form.querySelector("textarea");
  example?.addEventListener("input", () => Object.assign(body ?? {}, { value: example.value }));
  form.addEventListener("input", () => writeSamples(form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form, key.value.trim());
  });
  writeSamples(form);
}

for (const button of findAll(".copy")) {
  button.addEventListener("click", async () => {
    const shown = findAll("pre", button.parentElement ?? document).find((sample) => sample.checkVisibility());
    await navigator.clipboard.writeText(shown?.textContent ?? "");
    button.textContent = "Copied";
    setTimeout(() => button.replaceChildren("Copy"), 2_000);
  });
}

// Who chooses a language chooses it for all operations.
document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.type !== "radio") return;
  for (const other of findAll<HTMLInputElement>(`[type=radio][value=${target.value}]`)) other.checked = true;
});

const contents = find("#contents");
contents.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("a") && contents.matches(":popover-open")) contents.hidePopover();
});

enableSearch();
