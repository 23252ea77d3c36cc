/** Machine sizes belong to no company: every key reads all of them. */
export { processResourceTypes } from "./table.ts";
