/** The answer of Workers that look nothing up. */
export interface ConstantEnv {
  /** The payload of one process, as ours sends it, … */
  PAYLOAD: string;
  /** … and the headers, in JSON: a runtime takes longer for more of them, whoever made them. */
  HEADERS: string;
}

let headers: Record<string, string> | undefined;

/** Read once. */
export function headersOf({ HEADERS }: ConstantEnv): Record<string, string> {
  headers ??= JSON.parse(HEADERS) as Record<string, string>;
  return headers;
}
