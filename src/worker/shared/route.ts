/** What the gateway needs to know of an endpoint to forward to it. The Api derives it from its route definitions. */
export interface Route {
  /** As in the OpenAPI document and the logs, from the root: `/v3/applications/{id}`. */
  readonly template: string;
  /**
   * The one URL, path and query, of what was asked for, so that spellings of it share one entry of the cache.
   *
   * @param params of the path, decoded
   * @param url as it was asked for
   * @throws HttpError `invalid_parameter`
   */
  canonicalize(params: Record<string, string>, url: string): string;
}
