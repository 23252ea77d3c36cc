/** Ids, templates, numbers and classes of error; never a token, its hash, a header or an error's message. */
export type LogFields = Record<string, string | number | boolean | readonly string[] | undefined>;

/** Writes one structured line: https://developers.cloudflare.com/workers/observability/logs/workers-logs/ */
export function log(level: "info" | "warn" | "error", event: string, fields: LogFields = {}): void {
  console[level](JSON.stringify({ level, event, ...fields }));
}

/** The class of an error and where it was thrown. Its message stays out: it may quote anything. */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
  return { error: error.name, stack: frames.map((line) => line.trim()) };
}

const loggedAt = new Map<string, number>();

/** Writes a line at most once a minute, for what each request would say again. */
export function logOncePerMinute(event: "feed_silent" | "foreign_response" | "no_cache", fields: LogFields = {}): void {
  if (Date.now() < (loggedAt.get(event) ?? 0) + 60_000) return;
  loggedAt.set(event, Date.now());
  log("error", event, fields);
}
