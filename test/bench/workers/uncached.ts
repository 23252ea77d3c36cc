// What is deployed, without a cache in front of the Api: what a miss costs the product itself.
import "../../../src/local/loopback.ts";

export { Api, default } from "../../../src/worker/index.ts";
