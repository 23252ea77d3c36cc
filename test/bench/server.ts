import type { ChildProcess } from "node:child_process";

/** A server that is measured, in a process of its own. */
export interface Server {
  process: ChildProcess;
  pid: number;
  /** A port of 127.0.0.1. */
  port: number;
}
