// A request in the languages of its readers. The build writes these for the examples, the page for what is typed.

export interface ApiRequest {
  method: string;
  url: string;
  /** Beside `Authorization`. */
  headers: Record<string, string>;
  /** JSON. */
  body?: string | undefined;
}

interface Language {
  name: string;
  sampleOf(request: ApiRequest): string;
}

/** Every language, by the name that the page has for it. */
export const LANGUAGES: Record<string, Language> = {
  curl: { name: "curl", sampleOf: inCurl },
  typescript: { name: "TypeScript", sampleOf: inTypeScript },
  python: { name: "Python", sampleOf: inPython },
};

function inCurl({ method, url, headers, body }: ApiRequest): string {
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}${quote(url)}`,
    '-H "Authorization: Bearer $KEY"',
    ...Object.entries(headers).map((header) => `-H ${quote(header.join(": "))}`),
    ...(body === undefined ? [] : [`-d ${quote(body)}`]),
  ].join(" \\\n  ");
}

/** Makes a word of the shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function inTypeScript({ method, url, headers, body }: ApiRequest): string {
  const all = [`Authorization: \`Bearer \${process.env.KEY}\``, ...Object.entries(headers).map(member)];
  const options = [
    ...(method === "GET" ? [] : [`method: ${JSON.stringify(method)}`]),
    all.length === 1 ? `headers: { ${all[0]} }` : `headers: {\n    ${all.join(",\n    ")},\n  }`,
    ...(body === undefined ? [] : [`body: JSON.stringify(${indent(body, 2)})`]),
  ];
  return `const response = await fetch(${JSON.stringify(url)}, {
  ${options.join(",\n  ")},
});
console.log(response.status, await response.json());`;
}

function inPython({ method, url, headers, body }: ApiRequest): string {
  const all = [`"Authorization": f"Bearer {os.environ['KEY']}"`, ...Object.entries(headers).map(member)];
  const values = [
    JSON.stringify(url),
    all.length === 1 ? `headers={${all[0]}}` : `headers={\n        ${all.join(",\n        ")},\n    }`,
    ...(body === undefined ? [] : [`json=${indent(pythonOf(body), 4)}`]),
  ];
  return `import os
import requests

response = requests.${method.toLowerCase()}(
    ${values.join(",\n    ")},
)
print(response.status_code, response.json())`;
}

const member = ([name, value]: [string, string]): string => `${JSON.stringify(name)}: ${JSON.stringify(value)}`;

const indent = (lines: string, spaces: number): string => lines.replaceAll("\n", `\n${" ".repeat(spaces)}`);

const PYTHON: Record<string, string> = { true: "True", false: "False", null: "None" };
/** JSON's strings and numbers are Python's, too. */
const pythonOf = (json: string): string =>
  json.replaceAll(/"(?:[^"\\]|\\.)*"|true|false|null/g, (token) => PYTHON[token] ?? token);
