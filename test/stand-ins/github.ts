// GitHub's pull requests and the comments of one of them: https://docs.github.com/en/rest/pulls/pulls,
// https://docs.github.com/en/rest/issues/comments

const REPOSITORY = "owner/process-api";
const TOKEN = "a-github-token-for-the-stand-in-and-nothing-else";
/** What a workflow has in its environment. */
export const GITHUB_ENV = {
  GITHUB_API_URL: "https://api.github.com",
  GITHUB_REPOSITORY: REPOSITORY,
  GITHUB_TOKEN: TOKEN,
};

export class Github {
  readonly requests: string[] = [];
  /** Numbers of the pull requests that are open. */
  readonly open: Set<number> = new Set();
  readonly comments: { id: number; body: string; user: { type: string } }[] = [];

  async fetch(request: Request): Promise<Response> {
    const { method, headers } = request;
    const { pathname, searchParams } = new URL(request.url);
    const what = `${method} ${pathname.replace(`/repos/${REPOSITORY}`, "")}`;
    this.requests.push(what);
    if (headers.get("authorization") !== `Bearer ${TOKEN}`) return Response.json({}, { status: 401 });
    const size = Number(searchParams.get("per_page"));
    const from = (Number(searchParams.get("page")) - 1) * size;
    const page = (all: readonly object[]) => Response.json(all.slice(from, from + size));
    if (what === "GET /pulls" && searchParams.get("state") === "open") {
      return page([...this.open].map((number) => ({ number })));
    }
    if (what === "GET /issues/7/comments") return page(this.comments);
    const { body } = (await request.json()) as { body: string };
    if (what === "POST /issues/7/comments") this.comments.push({ id: 1_000, body, user: { type: "Bot" } });
    else Object.assign(this.comments.find(({ id }) => what === `PATCH /issues/comments/${id}`) ?? {}, { body });
    return Response.json({});
  }
}
