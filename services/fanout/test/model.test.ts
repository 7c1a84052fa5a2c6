import { randomInt } from 'node:crypto';
import { runModel } from '@tideline/testing/model/model-runs';
import { type ModelSystem, startModelSystem } from '@tideline/testing/model/model-system';
import { plantedBugs, sourcesWith } from '@tideline/testing/model/planted-bugs';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A short run of `npm run test:model`, on the servers that all tests share: Redis is flushed where it would be restarted. */

const runs = 24;
const seedMax = 2 ** 31;
const runForMaxMs = 600_000;

let system: ModelSystem;

beforeAll(async () => {
  system = await startModelSystem();
});
afterAll(() => system.stop());

test(
  'random histories leave every feed as a model has it that knows nothing of how it is made',
  async () => {
    const seed = randomInt(seedMax);
    const printed: string[] = [`seed ${seed}\n`];
    process.stdout.write(`model: seed ${seed}\n`);
    const print = (text: string) => printed.push(text);
    const { failed } = await runModel(system, { runs, seed, bail: false, print });
    expect(failed, printed.join('')).toBe(0);
  },
  runForMaxMs,
);

test.each(plantedBugs)('the bug "$name" can still be planted', async (bug) => {
  expect((await sourcesWith(bug)).size).toBeGreaterThan(0);
});
