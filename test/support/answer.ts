/** All of an answer but what is of this one request. */
export async function describeAnswer(response: Response) {
  const body = (await response.text()).replaceAll(String(response.headers.get("x-request-id")), "(id)");
  const {
    "x-request-id": _id,
    date: _date,
    "server-timing": _timing,
    ...headers
  }: Record<string, string> = Object.fromEntries(response.headers);
  return { status: response.status, headers, body };
}

/** Ids in a body, wherever they stand. */
export const idsIn = (body: string): string[] => body.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [];
