import { EXAMPLE_IDS, EXAMPLE_TIMESTAMP, type Examples } from "../../../openapi/components/examples.ts";
import type { Application, ApplicationItem } from "./schema.ts";

/** One that says no more than it must: everything that may be null is, but for its company. */
const sparse: Application = {
  id: EXAMPLE_IDS.bareApplication,
  name: "bare-app",
  display_name: "Bare App",
  status: null,
  type: "app",
  source: "app",
  is_suspended: false,
  created_at: EXAMPLE_TIMESTAMP,
  updated_at: EXAMPLE_TIMESTAMP,
  company_id: EXAMPLE_IDS.company,
  project_id: null,
  namespace: null,
  hibernation_enabled: false,
  hibernate_after_seconds: null,
  git_type: null,
  repo_url: null,
  default_branch: null,
  auto_deploy: false,
  allow_deploy_paths: [],
  ignore_deploy_paths: [],
  docker_image: null,
  docker_registry_credential_id: null,
  build_type: "nixpacks",
  build_path: null,
  build_cache_enabled: true,
  pack_builder: null,
  buildpacks: [],
  nixpacks_version: null,
  dockerfile_path: null,
  docker_context: null,
  cluster_id: null,
  created_by: null,
};

const privateGit: Application = {
  ...sparse,
  id: EXAMPLE_IDS.application,
  name: "my-app",
  display_name: "My App",
  status: "deploymentSuccess",
  source: "privateGit",
  namespace: "my-app-abc123",
  project_id: EXAMPLE_IDS.project,
  cluster_id: EXAMPLE_IDS.cluster,
  created_by: EXAMPLE_IDS.user,
  git_type: "github",
  repo_url: "https://github.com/example/my-app",
  default_branch: "main",
  auto_deploy: true,
  allow_deploy_paths: ["src/**", "package.json"],
  build_path: ".",
  nixpacks_version: "1.41.0",
};

const publicGit: Application = {
  ...sparse,
  id: EXAMPLE_IDS.publicGitApplication,
  name: "docs",
  display_name: "Documentation",
  status: "deploymentFailed",
  source: "publicGit",
  git_type: "gitlab",
  repo_url: "https://gitlab.com/example/docs",
  default_branch: "main",
  ignore_deploy_paths: ["drafts/**"],
  build_type: "pack",
  pack_builder: "heroku/builder:24",
  buildpacks: [{ id: "heroku/nodejs", source: "docker.io/heroku/buildpack-nodejs", order: 0 }],
  hibernation_enabled: true,
  hibernate_after_seconds: 3_600,
};

const dockerImage: Application = {
  ...sparse,
  id: EXAMPLE_IDS.dockerApplication,
  name: "metrics",
  display_name: "Metrics",
  status: "deploymentInProgress",
  source: "dockerImage",
  docker_image: "ghcr.io/example/metrics:1",
  docker_registry_credential_id: EXAMPLE_IDS.credential,
  is_suspended: true,
};

const preview: Application = {
  ...privateGit,
  id: EXAMPLE_IDS.previewApplication,
  name: "my-app-preview",
  display_name: "My App, preview",
  type: "previewApp",
  namespace: null,
  default_branch: "change",
  allow_deploy_paths: [],
  build_type: "dockerfile",
  build_path: null,
  nixpacks_version: null,
  dockerfile_path: "Dockerfile",
  docker_context: ".",
};

export const APPLICATION_EXAMPLES = {
  privateGit: { summary: "From a private Git repository, built with Nixpacks", value: privateGit },
  publicGit: { summary: "From a public Git repository, built with buildpacks", value: publicGit },
  dockerImage: { summary: "From a Docker image", value: dockerImage },
  preview: { summary: "A preview, built with a Dockerfile", value: preview },
  sparse: { summary: "An application that says no more than it must", value: sparse },
} satisfies Examples<Application>;

const itemOf = ({
  id,
  name,
  display_name,
  status,
  type,
  source,
  is_suspended,
  created_at,
  updated_at,
}: Application): ApplicationItem => ({
  id,
  name,
  display_name,
  status,
  type,
  source,
  is_suspended,
  created_at,
  updated_at,
});

/** The first page of the company that has most of them. */
export const APPLICATION_LIST_EXAMPLES = {
  page: {
    summary: "The first two of five: ?limit=2",
    value: { data: [itemOf(preview), itemOf(dockerImage)], total: 5, offset: 0, limit: 2 },
  },
};
