import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS, EXAMPLE_TIMESTAMP } from "../../../openapi/components/examples.ts";
import { text, timestamp, uuid } from "../../../openapi/components/schemas.ts";
import { read } from "../../../openapi/contract.ts";
import { apiKeyPermission, apiKeySource } from "./table.ts";

const apiKeySchema = z
  .strictObject({
    id: uuid(EXAMPLE_IDS.apiKey).openapi({ description: "Identifier of the API key" }),
    company_id: uuid(EXAMPLE_IDS.company).openapi({ description: "Identifier of the company" }),
    company: z
      .strictObject({
        id: uuid(EXAMPLE_IDS.company).openapi({ description: "Identifier of the company" }),
        name: z.string().openapi({ description: "Name of the company", example: "Example Company" }),
      })
      .openapi({ description: "Company that the key belongs to" }),
    name: text(1, 255).openapi({ description: "Human-readable name", example: "CI" }),
    source: z.enum(apiKeySource.enumValues).openapi({ description: "Where the key was made", example: "CLI" }),
    is_enabled: z.boolean().openapi({ description: "Always true: a disabled key is refused", example: true }),
    masked_token: z.string().openapi({
      description: "The token that was sent: its first six and its last four characters",
      example: "svl_00…0001",
    }),
    capabilities: z
      .array(
        z.strictObject({
          permission: z.enum(apiKeyPermission.enumValues).openapi({ description: "The permission that is granted" }),
          resource_id: uuid(EXAMPLE_IDS.application)
            .nullable()
            .openapi({ description: "Application that it is granted for; null: all applications of the company" }),
        }),
      )
      .openapi({
        description: "What the key may do. Beside a grant for all applications, grants for single ones are left out.",
      }),
    expires_at: timestamp().nullable().openapi({
      description: "When the key or the token that was sent expires, whichever is first; null: never",
    }),
    last_used_at: timestamp().nullable().openapi({
      description: "When the key was last used, to about a minute; answers from the edge's cache are not counted",
    }),
    created_at: timestamp().openapi({ description: "When the key was created" }),
    updated_at: timestamp().openapi({ description: "When the key was last changed" }),
  })
  .openapi("ApiKey", { description: "An API key, without its token" });

export type ApiKey = z.infer<typeof apiKeySchema>;

export const getCurrentApiKeyV3 = read({
  path: "/api-keys/me",
  tags: ["API Keys"],
  summary: "Get your API key",
  description: "Returns the API key that the request is made with, and what it may do. Any valid API key will do.",
  permission: null,
  resource: null,
  response: {
    description: "The API key",
    schema: apiKeySchema,
    examples: {
      key: {
        summary: "A key that may read and change all applications of its company",
        value: {
          id: EXAMPLE_IDS.apiKey,
          company_id: EXAMPLE_IDS.company,
          company: { id: EXAMPLE_IDS.company, name: "Example Company" },
          name: "Full access",
          source: "DASHBOARD",
          is_enabled: true,
          masked_token: "svl_00…0001",
          capabilities: [
            { permission: "APP:READ", resource_id: null },
            { permission: "APP:UPDATE", resource_id: null },
          ],
          expires_at: null,
          last_used_at: null,
          created_at: EXAMPLE_TIMESTAMP,
          updated_at: EXAMPLE_TIMESTAMP,
        },
      },
    },
  },
});

const validationSchema = z
  .strictObject({
    name: text(1, 255).openapi({ description: "Human-readable name of the key", example: "CI" }),
    expires_at: timestamp().nullable().openapi({
      description: "When the key or the token that was sent expires, whichever is first; null: never",
    }),
    company_id: uuid(EXAMPLE_IDS.company).openapi({ description: "Identifier of the company that the key belongs to" }),
    status: z.literal("active").openapi({ description: "Always `active`: any other key is answered with 401" }),
  })
  .openapi("ApiKeyValidation", { description: "What says that an API key can be used" });

export type ApiKeyValidation = z.infer<typeof validationSchema>;

export const validateApiKeyV3 = read({
  path: "/api-keys/validate",
  tags: ["API Keys"],
  summary: "Validate your API key",
  description: "Returns the status of the API key that the request is made with; 401 if it cannot be used.",
  permission: null,
  resource: null,
  response: {
    description: "The API key can be used",
    schema: validationSchema,
    examples: {
      active: {
        summary: "A key that does not expire",
        value: { name: "Full access", expires_at: null, company_id: EXAMPLE_IDS.company, status: "active" },
      },
    },
  },
});
