import fc from 'fast-check';
import { describeCommand, userLetter } from './commands.js';
import { describeFaults, type FaultPlan, faultPlanArbitrary, noFaults } from './faults.js';
import { checkOptions, generate, type History, historyArbitrary } from './histories.js';
import type { HistoryRun } from './history-run.js';
import type { ModelSystem } from './model-system.js';
import { type RoundHistory, runRound } from './round.js';

/** So many histories share the system at once. Part of what a seed means: another number makes other rounds. */
const historiesPerRound = 60;
/** A smaller history is tried so many times at once, because not every race is lost every time. */
const shrinkCopies = 6;
const shrinkForMaxMs = 180_000;

export interface ModelRunOptions {
  runs: number;
  seed: number;
  /** Ends after the first round in which a history failed, and makes none smaller. */
  bail: boolean;
  print(text: string): void;
}

export interface ModelRunResult {
  passed: number;
  failed: number;
}

/** Runs histories 0 to `runs - 1` of a seed in rounds. The first that fails in a round is printed and made smaller. */
export async function runModel(system: ModelSystem, options: ModelRunOptions): Promise<ModelRunResult> {
  const { runs, seed, bail, print } = options;
  const result = { passed: 0, failed: 0 };
  const startedAt = performance.now();
  for (let first = 0; first < runs && !(bail && result.failed > 0); first += historiesPerRound) {
    const indexes = Array.from({ length: Math.min(historiesPerRound, runs - first) }, (_, i) => first + i);
    const plan = planOf(seed, first);
    const done = await runRound(
      system,
      indexes.map((index) => historyOf(seed, index)),
      plan,
    );
    const failed = done.flatMap((run, i) => (run.failure === undefined ? [] : [{ run, index: first + i }]));
    result.passed += done.length - failed.length;
    result.failed += failed.length;
    const minutes = (performance.now() - startedAt) / 60_000;
    const pace = Math.round((result.passed + result.failed) / minutes);
    print(
      `${first + done.length} of ${runs} (${pace} a minute), ${failed.length} failed here; ${describeFaults(plan)}\n`,
    );
    const [worst] = failed;
    if (worst !== undefined) {
      print(`\nHistory ${worst.index} of seed ${seed} failed ${failureText(worst.run)}\n`);
      print(`${describeHistory(historyOf(seed, worst.index).history)}\n`);
      if (!bail) {
        await replayHistory(system, { ...options, index: worst.index });
      }
    }
  }
  return result;
}

/** Runs one history of a seed alone; if that fails, ever smaller ones for as long as they fail too. */
export async function replayHistory(
  system: ModelSystem,
  options: ModelRunOptions & { index: number; path?: string },
): Promise<ModelRunResult> {
  const { seed, index, print } = options;
  // Without faults it is quick, and most that fails needs none.
  for (const plan of [noFaults, planOf(seed, index)]) {
    const smallest = await shrink(system, options, plan);
    if (smallest !== undefined) {
      print(`\nThe smallest that fails, alone under the faults ${describeFaults(plan)}:\n`);
      print(`${describeHistory(smallest.history)}\n${failureText(smallest.run)}\n`);
      print(`Again: npm run test:model -- --seed ${seed} --replay ${index}:${smallest.path}\n`);
      return { passed: 0, failed: 1 };
    }
  }
  print(`History ${index} of seed ${seed} does not fail alone.\n`);
  return { passed: 1, failed: 0 };
}

interface Smallest {
  history: History;
  run: HistoryRun;
  path: string;
}

async function shrink(
  system: ModelSystem,
  options: ModelRunOptions & { index: number; path?: string },
  plan: FaultPlan,
): Promise<Smallest | undefined> {
  const { seed, index, path, print } = options;
  const startedAt = performance.now();
  let smallest: Omit<Smallest, 'path'> | undefined;
  let tried = 0;
  const property = fc.asyncProperty(historyArbitrary, async (history) => {
    if (performance.now() - startedAt > shrinkForMaxMs) {
      return true;
    }
    tried += 1;
    const copies = Array.from({ length: shrinkCopies }, (_, i) => ({ history, seed: mix(seed, index) + i }));
    const run = (await runRound(system, copies, plan)).find(({ failure }) => failure !== undefined);
    smallest = run === undefined ? smallest : { history, run };
    return run === undefined;
  });
  const details = await fc.check(property, {
    ...checkOptions(mix(seed, index)),
    ...(path === undefined ? {} : { path }),
  });
  if (smallest === undefined) {
    return undefined;
  }
  print(`${tried} variants of history ${index} were tried.\n`);
  return { ...smallest, path: details.counterexamplePath ?? '0' };
}

function historyOf(runSeed: number, index: number): RoundHistory {
  const seed = mix(runSeed, index);
  return { seed, history: generate(historyArbitrary, seed) };
}

/** The faults of the round that a history is in. */
function planOf(seed: number, index: number): FaultPlan {
  const round = Math.floor(index / historiesPerRound);
  return generate(faultPlanArbitrary, mix(~seed, round));
}

/** A seed of its own for each history of a seed (the finaliser of MurmurHash3). */
function mix(seed: number, index: number): number {
  let h = seed ^ Math.imul(index + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function failureText({ failure }: HistoryRun): string {
  return failure === undefined ? '' : `${failure.at}:\n${failure.message}`;
}

function describeHistory({ follows, phases }: History): string {
  const pairs = follows.map(({ user, other }) => `${userLetter(user)}→${userLetter(other)}`);
  return [
    `follows: ${pairs.join(' ')}`,
    ...phases.flatMap((phase, i) => [`phase ${i}`, ...phase.map((command) => `  ${describeCommand(command)}`)]),
  ].join('\n');
}
