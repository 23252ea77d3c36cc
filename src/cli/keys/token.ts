import { createHash, randomBytes } from "node:crypto";

export interface Token {
  /** `svl_` and 64 lower-case hexadecimal digits: for its holder alone, to be shown once and kept nowhere. */
  plain: string;
  /** SHA-256 of all of {@link plain} in hexadecimal, by which the Worker finds it. */
  hash: string;
  /** For people to tell it from others. */
  masked: string;
}

/** 256 bits from the operating system's CSPRNG. */
export function newToken(): Token {
  const plain = `svl_${randomBytes(32).toString("hex")}`;
  return {
    plain,
    hash: createHash("sha256").update(plain).digest("hex"),
    masked: `${plain.slice(0, 6)}…${plain.slice(-4)}`,
  };
}
