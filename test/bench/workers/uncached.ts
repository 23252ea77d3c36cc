// The Worker as it is deployed, without a cache in front of the Api: a miss costs what the product itself costs.
import "../../../src/local/loopback.ts";

export { Api, default } from "../../../src/worker/index.ts";
