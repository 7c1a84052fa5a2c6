import { generateMersenne53Randomizer } from '@faker-js/faker';

/**
 * What is drawn from the seed, each from a stream of its own: more posts leave the follow graph as it was. The numbers
 * are part of the result and never change.
 */
export const purposes = {
  names: 1,
  titles: 2,
  popularity: 3,
  follows: 4,
  diligence: 5,
  posts: 6,
  attention: 7,
  enthusiasm: 8,
  likes: 9,
} as const;

/** Numbers in [0, 1), the same ones for every run. */
export function randomStream(seed: number, purpose: number): () => number {
  const randomizer = generateMersenne53Randomizer();
  randomizer.seed([seed, purpose]);
  return () => randomizer.next();
}

/** The numbers from 0 to `count` - 1 in random order (Fisher and Yates). */
export function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const kept = order[index] ?? 0;
    order[index] = order[other] ?? 0;
    order[other] = kept;
  }
  return order;
}
