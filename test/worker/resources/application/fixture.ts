import { randomUUID } from "node:crypto";
import { applications } from "../../../../src/worker/resources/application/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { iso, labels, length, MAX, rule, stringLists, uuids } from "../../../support/rules.ts";

const gitSettings = [{ gitType: "github" }, { repoUrl: "https://github.com/example/app" }, { defaultBranch: "main" }];
const wrongOrders = [undefined, -1, MAX + 1].map((order) => ({ order }));
const buildpackMistakes = [...wrongOrders, { id: 1 }, { source: null }, { extra: 0 }];

export const fixtures: Fixture[] = [
  {
    table: applications,
    row: ({ companyId }) => ({ companyId, name: `a-${randomUUID()}`, displayName: "An application" }),
    rules: {
      ...uuids("id project_id cluster_id docker_registry_credential_id created_by"),
      ...labels("name namespace"),
      ...length("display_name", 1, 255),
      git_only_with_git_source: rule("source", ["privateGit", "publicGit"], ["dockerImage", "app"], ...gitSettings),
      docker_image_only_with_its_source: {
        good: [{ source: "dockerImage", dockerImage: "image" }, { source: "dockerImage" }],
        bad: ["privateGit", "publicGit", "app"].map((source) => ({ source, dockerImage: "image" })),
      },
      ...stringLists("allow_deploy_paths ignore_deploy_paths"),
      deploy_paths_exclusive: {
        good: [{ allowDeployPaths: ["a"] }, { ignoreDeployPaths: ["a"] }],
        bad: [{ allowDeployPaths: ["a"], ignoreDeployPaths: ["b"] }],
      },
      buildpacks_shape: rule(
        "buildpacks",
        [[{ id: "", source: "", order: 0 }], [{ id: "a", source: "b", order: MAX }]],
        buildpackMistakes.map((mistake) => [{ id: "a", source: "b", order: 0, ...mistake }]),
      ),
      hibernate_after_seconds_range: rule("hibernate_after_seconds", [1, 2_147_483_647], [0]),
      ...iso("created_at updated_at"),
    },
    change: "namespace = 'ns-2'",
  },
];
