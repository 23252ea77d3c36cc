/**
 * What the key of a process is made of: a DNS label (RFC 1123), of the letters and digits of its display name.
 *
 * @param fallback where the name has none
 */
export function slugOf(displayName: string, fallback: string): string {
  const slug = displayName
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return slug || fallback;
}
