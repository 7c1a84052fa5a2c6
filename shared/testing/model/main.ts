import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { startFaultServers } from '../fault-servers.js';
import { findServers } from '../servers.js';
import { replayHistory, runModel } from './model-runs.js';
import { startModelSystem } from './model-system.js';

const usage = `usage: npm run test:model -- [--runs N] [--seed S] [--replay INDEX[:PATH]] [--bail]
  --runs    how many histories (300)
  --seed    which ones (random, and printed)
  --replay  one history alone, or a smaller variant of it, as a failure prints it
  --bail    end after the first round with a failure, which is not made smaller
`;
const runsDefault = 300;
const seedMax = 2 ** 31;

function print(text: string): void {
  process.stdout.write(text);
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: String(runsDefault) },
    seed: { type: 'string', default: String(randomInt(seedMax)) },
    replay: { type: 'string' },
    bail: { type: 'boolean', default: false },
  },
});
const [runs, seed] = [Number(values.runs), Number(values.seed)];
if (![runs, seed].every(Number.isSafeInteger)) {
  print(usage);
  process.exit(2);
}

print(`seed ${seed}\n`);
const servers = await serversToRestart();
const system = await startModelSystem(servers.faultServers);
try {
  const options = { runs, seed, bail: values.bail, print };
  const [index, ...path] = values.replay?.split(':') ?? [];
  const { passed, failed } =
    index === undefined
      ? await runModel(system, options)
      : await replayHistory(system, {
          ...options,
          index: Number(index),
          ...(path.length === 0 ? {} : { path: path.join(':') }),
        });
  print(`seed ${seed}\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await system.stop();
  await servers.release();
}

/** Servers of its own where there can be some, else those of the tests, whose Redis is flushed instead of restarted. */
async function serversToRestart() {
  const own = await startFaultServers();
  if (typeof own !== 'string') {
    return { faultServers: own, release: () => own.erase() };
  }
  print(`Redis is flushed where it would be restarted: ${own}\n`);
  const shared = await findServers(process.env);
  Object.assign(process.env, shared.urls);
  return { faultServers: undefined, release: () => shared.release() };
}
