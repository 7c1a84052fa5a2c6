import { describeFaults, type FaultPlan, PhaseFaults } from './faults.js';
import { type History, phaseCount } from './histories.js';
import { HistoryRun } from './history-run.js';
import type { ModelSystem } from './model-system.js';

export interface RoundHistory {
  /** Of the choices that running and comparing it takes. */
  seed: number;
  history: History;
}

/** A fanout that was frozen in a transaction keeps its successor waiting until the database ends it. */
const settleMaxMs = 180_000;

/** Sets the users of a run of a history apart from all others. */
let runCount = 0;

/**
 * Runs histories together on one system, each in users of its own, under the same faults. Returns them in the order
 * given, with what failed. Throws where the system does not come to rest any more.
 */
export async function runRound(
  system: ModelSystem,
  histories: readonly RoundHistory[],
  plan: FaultPlan,
): Promise<HistoryRun[]> {
  const runs = histories.map(({ history, seed }) => {
    runCount += 1;
    return new HistoryRun(system, history, `h${runCount}-`, seed);
  });
  for (let phase = 0; phase < phaseCount; phase += 1) {
    const commandCount = histories.reduce((sum, { history }) => sum + (history.phases[phase]?.length ?? 0), 0);
    const faults = new PhaseFaults(system, plan[phase] ?? [], commandCount);
    await Promise.all(runs.map((run) => run.runPhase(phase, () => faults.commandBegins())));
    await faults.end();
    await checkAtRest(system, runs, `at rest after phase ${phase}`, plan);
    if (system.isFrozen) {
      await system.thawFanout();
      await checkAtRest(system, runs, `at rest after phase ${phase}, once the frozen fanout goes on`, plan);
    }
  }
  // By now every list was asked for and is built.
  await checkAtRest(system, runs, 'at rest in the end, from lists that were built', plan, true);
  await Promise.all(runs.map((run) => run.close()));
  return runs;
}

async function checkAtRest(
  system: ModelSystem,
  runs: readonly HistoryRun[],
  when: string,
  plan: FaultPlan,
  all = false,
): Promise<void> {
  try {
    await system.platform.settle(settleMaxMs);
  } catch (error) {
    throw new Error(`not ${when}; faults: ${describeFaults(plan)}`, { cause: error });
  }
  await Promise.all(runs.map((run) => run.checkAtRest(when, all)));
}
