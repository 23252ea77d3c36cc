// A steady load from a process of its own: who measures something else beside it is not to wait for it.
import { type Ask, pace } from "./load.ts";

/** What is asked, in turn, and how much of it. */
export interface Load {
  port: number;
  asks: readonly Ask[];
  perSecond: number;
  seconds: number;
}

process.once("message", async ({ port, asks, ...rate }: Load) => {
  await pace(port, asks, rate, () => {});
  process.disconnect();
});
