// The Worker's front: the paths, and what answers at each. Every path of an operation asks for a key, and that of purges for a secret.
import { Hono } from "hono";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { operations } from "#openapi";
import { answerOptions } from "./cors.ts";
import { answerDocs, DOCS_PATHS } from "./docs.ts";
import { allowedBy, type GatewayEnv, type Handler, handle } from "./exchange.ts";
import { answerHealth, purge } from "./operator.ts";
import { read } from "./read.ts";
import { write } from "./write.ts";

export function createGateway(): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>({ router: new RegExpRouter() });
  const mount = (template: string, handlers: Map<string, Handler>) =>
    app.all(template.replaceAll(/\{(\w+)\}/g, ":$1"), handle({ template, handlers }));
  /** For browsers, too. */
  const publish = (template: string, handlers: Map<string, Handler>, bodies: readonly string[] = []) => {
    const options = answerOptions([...allowedBy(handlers), "OPTIONS"], bodies);
    mount(
      template,
      handlers.set("OPTIONS", () => options),
    );
  };
  for (const path of DOCS_PATHS) publish(path, new Map([["GET", ({ context }) => answerDocs(context)]]));
  publish("/health", new Map([["GET", answerHealth]]));
  mount("/ops/purge", new Map([["POST", purge]]));
  for (const [template, there] of Map.groupBy(operations, (one) => one.template)) {
    const handlers = there.map((one): [string, Handler] => [one.method, one.method === "GET" ? read(one) : write(one)]);
    const bodies = there.flatMap(({ method, bodyFields }) => (bodyFields === undefined ? [] : [method]));
    publish(template, new Map(handlers), bodies);
  }
  app.notFound(handle());
  return app;
}
