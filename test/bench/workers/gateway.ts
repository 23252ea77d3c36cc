// Our gateway alone: what a hit costs beside the platform's cache.
export { default } from "../../../src/worker/index.ts";
export { Constant as Api } from "./constant.ts";
