import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "../../../openapi/components/examples.ts";
import { integer, listOf, text, timestamp, uuid } from "../../../openapi/components/schemas.ts";
import { applicationSource, applicationStatus, applicationType, buildType, gitType } from "./table.ts";

const nullableText = (description: string, example: string) => z.string().nullable().openapi({ description, example });
const nullableId = (example: string, description: string) => uuid(example).nullable().openapi({ description });
const paths = (description: string, example: string) =>
  z.array(z.string()).openapi({ description, example: [example] });

const item = {
  id: uuid(EXAMPLE_IDS.application).openapi({ description: "Identifier of the application" }),
  name: text(1, 64).openapi({ description: "Unique name of the application within its company", example: "my-app" }),
  display_name: text(1, 255).openapi({ description: "Human-readable name", example: "My App" }),
  status: z.enum(applicationStatus.enumValues).nullable().openapi({
    description: "State of the last deployment or of the deletion; null if there was neither",
    example: "deploymentSuccess",
  }),
  type: z.enum(applicationType.enumValues).openapi({
    description: "`app`: an application of its own. `previewApp`: the preview of a change.",
    example: "app",
  }),
  source: z.enum(applicationSource.enumValues).openapi({
    description: "Where the code comes from: a Git repository, a Docker image or another application",
    example: "privateGit",
  }),
  is_suspended: z.boolean().openapi({ description: "Whether the application is suspended", example: false }),
  created_at: timestamp().openapi({ description: "When the application was created" }),
  updated_at: timestamp().openapi({ description: "When the application was last changed" }),
};

const itemSchema = z
  .strictObject(item)
  .openapi("ApplicationItem", { description: "An application, as a list shows it. Every field is always present." });

export type ApplicationItem = z.infer<typeof itemSchema>;

export const applicationSchema = z
  .strictObject({
    ...item,
    company_id: nullableId(EXAMPLE_IDS.company, "Identifier of the company that the application belongs to"),
    project_id: nullableId(EXAMPLE_IDS.project, "Identifier of the project that the application is in"),
    namespace: nullableText("Kubernetes namespace that the processes run in", "my-app-abc123"),
    hibernation_enabled: z.boolean().openapi({ description: "Whether an idle application sleeps", example: false }),
    hibernate_after_seconds: integer(1)
      .nullable()
      .openapi({ description: "Seconds without a request after which it sleeps", example: 3_600 }),
    git_type: z.enum(gitType.enumValues).nullable().openapi({
      description: "Host of the Git repository; with a Git source only",
      example: "github",
    }),
    repo_url: nullableText("URL of the Git repository; with a Git source only", "https://github.com/example/my-app"),
    default_branch: nullableText("Branch that is deployed; with a Git source only", "main"),
    auto_deploy: z.boolean().openapi({ description: "Whether a push deploys", example: true }),
    allow_deploy_paths: paths("A push deploys only if it changes one of these; empty: any", "src/**"),
    ignore_deploy_paths: paths("A push that changes only these does not deploy; empty: none", "docs/**"),
    docker_image: nullableText("Docker image; with the source `dockerImage` only", "ghcr.io/example/my-app:1"),
    docker_registry_credential_id: nullableId(
      EXAMPLE_IDS.credential,
      "Identifier of the credential that images are pulled with",
    ),
    build_type: z.enum(buildType.enumValues).openapi({ description: "What builds the image", example: "nixpacks" }),
    build_path: nullableText("Directory of the repository that is built", "."),
    build_cache_enabled: z
      .boolean()
      .openapi({ description: "Whether a build uses the cache of others", example: true }),
    pack_builder: nullableText("Builder of Cloud Native Buildpacks", "heroku/builder:24"),
    buildpacks: z
      .array(
        z.strictObject({
          id: z.string().openapi({ description: "Identifier of the buildpack", example: "heroku/nodejs" }),
          source: z.string().openapi({
            description: "Where the buildpack comes from",
            example: "docker.io/heroku/buildpack-nodejs",
          }),
          order: integer(0).openapi({ description: "Position among the buildpacks", example: 0 }),
        }),
      )
      .openapi({ description: "Buildpacks of the build" }),
    nixpacks_version: nullableText("Version of Nixpacks", "1.41.0"),
    dockerfile_path: nullableText("Path of the Dockerfile", "Dockerfile"),
    docker_context: nullableText("Directory that is sent to the Docker build", "."),
    cluster_id: nullableId(EXAMPLE_IDS.cluster, "Identifier of the cluster that the processes run in"),
    created_by: nullableId(EXAMPLE_IDS.user, "Identifier of the user who created the application"),
  })
  .openapi("Application", {
    description:
      "An application. Every field is always present; a field that does not apply to the `source`, or is not set, is null.",
  });

export type Application = z.infer<typeof applicationSchema>;

export const applicationListSchema = listOf(itemSchema, "applications", {
  data: "The applications, newest first",
  total: "Number of applications that the key may read",
  example: { total: 5, limit: 2 },
}).openapi("ApplicationList", { description: "A page of applications" });
