// The calls that llms.txt shows.

export interface Call {
  /** The command, to be run by a shell that knows $KEY. */
  curl: string;
  method: string;
  path: string;
  body: string | undefined;
}

/** Every call, and each once more for every body that may stand instead. */
export function callsIn(text: string): Call[] {
  const block = /```sh\n(.*?)```/s.exec(text)?.[1] ?? "";
  return block.split(/^# (?!or )/m).flatMap((part) => {
    const curl = /^curl .*?[^\\]$/ms.exec(part)?.[0];
    if (curl === undefined) return [];
    const others = [...part.matchAll(/^# or .*?: (-d '.*')$/gm)].map(([, body]) =>
      curl.replace(/-d '.*'$/, () => String(body)),
    );
    return [curl, ...others].map(readCall);
  });
}

function readCall(curl: string): Call {
  const [, method = "GET", url = ""] = /^curl (?:-X (\w+) )?'([^']+)'/.exec(curl) ?? [];
  const body = /-d '(.*)'$/.exec(curl)?.[1]?.replaceAll(String.raw`'\''`, "'");
  return { curl, method, path: url.replace("https://<this host>", ""), body };
}
