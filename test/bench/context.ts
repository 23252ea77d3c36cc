// The context that the parts of a run share.
import type { Bundle, BundleName } from "./build.ts";
import type { Children } from "./children.ts";
import type { DatabaseSide, Distance } from "./database.ts";
import type { Plan } from "./plan.ts";

export interface Bench {
  plan: Plan;
  connectionString: string;
  children: Children;
  bundles: Record<BundleName, Bundle>;
  database: DatabaseSide;
  say(line: string): void;
}

/** The database where it is nearest. */
export function nearestOf({ distances: [nearest] }: DatabaseSide): Distance {
  if (nearest === undefined) throw new Error("The database is nowhere");
  return nearest;
}
