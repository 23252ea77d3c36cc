/** The conditions of a request that can be read (RFC 9110, section 13.1). */
export interface Conditions {
  /** Entity tags in their quotes, or `*`. */
  ifMatch?: readonly string[];
  ifNoneMatch?: readonly string[];
  /** In milliseconds since 1970. */
  ifUnmodifiedSince?: number;
  ifModifiedSince?: number;
}

export const EXPECTED_TAGS = 'entity tags in quotes, as in `"9c56cc51", "b374c3ba"`, or `*`';
