/**
 * Draws numbers from 0 to `size` - 1, the number n with a probability in proportion to 1 / (n + 1): Zipf's law with
 * s = 1.0, which the popularity of most things that are asked for obeys.
 *
 * In constant time, by Vose's alias method: the simulation draws millions.
 *
 * @see https://doi.org/10.1109/32.92917
 */
export function createZipf(size: number): () => number {
  const weights = Array.from({ length: size }, (_, n) => 1 / (n + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const keep = Float64Array.from(weights, (weight) => (weight * size) / total);
  const alias = new Uint32Array(size);
  const small: number[] = [];
  const large: number[] = [];
  for (const [n, share] of keep.entries()) (share < 1 ? small : large).push(n);
  while (small.length > 0 && large.length > 0) {
    const poor = small.pop() as number;
    const rich = large.at(-1) as number;
    alias[poor] = rich;
    keep[rich] = (keep[rich] as number) - (1 - (keep[poor] as number));
    if ((keep[rich] as number) < 1) small.push(large.pop() as number);
  }
  // The rest is 1, save for rounding.
  for (const n of [...small, ...large]) keep[n] = 1;
  return () => {
    const place = Math.random() * size;
    const n = Math.floor(place);
    return place - n < (keep[n] as number) ? n : (alias[n] as number);
  };
}
