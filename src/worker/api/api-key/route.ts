import { createRoute, z } from "@hono/zod-openapi";
import { apiKeyPermission } from "../../db/schema.ts";
import { answer } from "../answer.ts";
import { authorize, keyHashOf } from "../authorize.ts";
import type { ApiApp } from "../context.ts";
import { EXAMPLE_IDS, EXAMPLE_TIMESTAMP } from "../document/examples.ts";
import { conditional } from "../document/headers.ts";
import { getResponses } from "../document/responses.ts";
import { text, timestamp, uuid } from "../schemas.ts";
import { getOwnApiKey } from "./query.ts";

const apiKeySchema = z
  .strictObject({
    id: uuid(EXAMPLE_IDS.apiKey).openapi({ description: "Identifier of the API key" }),
    company: z
      .strictObject({
        id: uuid(EXAMPLE_IDS.company).openapi({ description: "Identifier of the company" }),
        name: z.string().openapi({ description: "Name of the company", example: "Example Company" }),
      })
      .openapi({ description: "Whose key it is" }),
    name: text(1, 255).openapi({ description: "Name for people", example: "CI" }),
    is_enabled: z.boolean().openapi({ description: "Whether it is enabled; true, or this could not be read with it" }),
    masked_token: z.string().openapi({ description: "The token that was sent, masked", example: "svl_0000…0001" }),
    capabilities: z
      .array(
        z.strictObject({
          permission: z.enum(apiKeyPermission.enumValues).openapi({ description: "What it may do" }),
          resource_id: uuid(EXAMPLE_IDS.application)
            .nullable()
            .openapi({ description: "To which application; null means to all of the company" }),
        }),
      )
      .openapi({ description: "What the key may do. A grant for all leaves out those for one." }),
    expires_at: timestamp()
      .nullable()
      .openapi({ description: "When the key or the token that was sent expires, whichever is first; null if never" }),
    last_used_at: timestamp()
      .nullable()
      .openapi({ description: "When it was last used, to about a minute; answers from the edge's cache do not count" }),
    created_at: timestamp().openapi({ description: "When the key was created" }),
    updated_at: timestamp().openapi({ description: "When the key was last changed" }),
  })
  .openapi("ApiKey", { description: "An API key, without its token" });

const getApiKey = createRoute({
  method: "get",
  path: "/api-keys/me",
  operationId: "getOwnApiKeyV3",
  tags: ["API keys"],
  summary: "Get your API key",
  description: "The API key that the request is made with, and what it may do. Any valid API key will do.",
  parameters: conditional("If-None-Match"),
  responses: getResponses({
    description: "The API key.",
    schema: apiKeySchema,
    examples: {
      key: {
        summary: "A key that may read all applications of its company",
        value: {
          id: EXAMPLE_IDS.apiKey,
          company: { id: EXAMPLE_IDS.company, name: "Example Company" },
          name: "Full access",
          is_enabled: true,
          masked_token: "svl_0000…0001",
          capabilities: [{ permission: "APP:READ", resource_id: null }],
          expires_at: null,
          last_used_at: null,
          created_at: EXAMPLE_TIMESTAMP,
          updated_at: EXAMPLE_TIMESTAMP,
        },
      },
    },
  }),
});

export function registerApiKey(app: ApiApp): void {
  app.openapi(getApiKey, async (c) => {
    const row = authorize(c, await getOwnApiKey(c.env.db, { keyHash: keyHashOf(c) }), null);
    const payload = {
      id: row.access.keyId,
      company: row.company,
      name: row.name,
      is_enabled: row.isEnabled,
      masked_token: row.masked,
      capabilities: row.capabilities,
      expires_at: row.expiresAt,
      last_used_at: row.lastUsedAt,
      created_at: row.createdAt,
      updated_at: row.updatedAt,
    };
    // No Last-Modified: being used and being granted leave updated_at as it is.
    return answer(c, apiKeySchema, payload, { access: row.access, tagged: {} });
  });
}
