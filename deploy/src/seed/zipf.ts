/**
 * Ranks by Zipf's law: rank r, from 0, comes up in proportion to (r + 1) ^ -exponent. The function that it returns makes
 * a rank of an even number in [0, 1).
 */
export function zipfRanks(count: number, exponent: number): (random: number) => number {
  const reached = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank += 1) {
    sum += (rank + 1) ** -exponent;
    reached[rank] = sum;
  }
  return (random) => firstAbove(reached, random * sum);
}

/** The index of the first of these rising numbers that is above `value`. */
function firstAbove(rising: Float64Array, value: number): number {
  let low = 0;
  let high = rising.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) > value) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
