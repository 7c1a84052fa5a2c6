import fc from 'fast-check';
import { phaseCount } from './histories.js';
import type { ModelSystem } from './model-system.js';

/** What befalls all histories of a round together, in one phase of it. */
export interface Fault {
  kind: keyof typeof faults;
  /** When it comes and, where it lasts, when it ends: the part of the phase's commands that were begun by then. */
  from: number;
  until: number;
}

interface FaultSteps {
  begin(system: ModelSystem): Promise<void>;
  /** What is not ended here is ended with the phase. */
  end?(system: ModelSystem): Promise<void>;
}

const faults = {
  'flush Redis': { begin: (system) => system.flushRedis() },
  'expire tombstones': { begin: (system) => system.expireTombstones() },
  'restart Redis from what it saved': {
    begin: (system) => system.saveRedis(),
    end: (system) => system.restartRedis(),
  },
  'drop subscriptions': { begin: (system) => system.dropSubscriptions() },
  'stop fanout': {
    begin: (system) => system.endFanout('SIGTERM'),
    end: (system) => system.startFanout(),
  },
  'kill fanout': {
    async begin(system) {
      await system.endFanout('SIGKILL');
      await system.startFanout();
    },
  },
  'freeze fanout': {
    async begin(system) {
      await system.freezeFanout();
      await system.startFanout();
    },
  },
  'add a fanout': {
    begin: (system) => system.startFanout(),
    end: (system) => system.endFanout('SIGTERM'),
  },
} as const satisfies Record<string, FaultSteps>;

/** The faults of each phase of a round. At most one of each phase is fanout's: each takes a while. */
export type FaultPlan = readonly (readonly Fault[])[];

const share = fc.integer({ min: 0, max: 9 }).map((tenths) => tenths / 10);

function oneOf(none: number, ...kinds: (keyof typeof faults)[]): fc.Arbitrary<Fault[]> {
  const fault = fc
    .record({ kind: fc.constantFrom(...kinds), from: share, length: share })
    .map(({ kind, from, length }) => ({ kind, from, until: Math.min(1, from + length) }));
  return fc.oneof(
    { weight: none, arbitrary: fc.constant<Fault[]>([]) },
    { weight: 3, arbitrary: fault.map((each) => [each]) },
  );
}

export const faultPlanArbitrary: fc.Arbitrary<FaultPlan> = fc.array(
  fc
    .tuple(
      oneOf(
        3,
        'flush Redis',
        'flush Redis',
        'expire tombstones',
        'restart Redis from what it saved',
        'drop subscriptions',
        'drop subscriptions',
      ),
      oneOf(3, 'stop fanout', 'kill fanout', 'freeze fanout', 'add a fanout'),
    )
    .map((each) => each.flat()),
  { minLength: phaseCount, maxLength: phaseCount, size: 'max' },
);

export const noFaults: FaultPlan = Array.from({ length: phaseCount }, () => []);

export function describeFaults(plan: FaultPlan): string {
  return plan
    .map((phase, i) => {
      const lines = phase.map(({ kind, from, until }) => {
        const when = 'end' in faults[kind] ? `${percent(from)} to ${percent(until)}` : percent(from);
        return `${kind} at ${when}`;
      });
      return `phase ${i}: ${lines.join(', ') || 'none'}`;
    })
    .join('; ');
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** The faults of one phase while it goes on: counts its commands, and has each fault come at its place. */
export class PhaseFaults {
  readonly #system: ModelSystem;
  readonly #commandCount: number;
  #begun = 0;
  #steps: { at: number; step: () => Promise<void> }[];
  /** Steps follow each other, however long each takes. */
  #running: Promise<void> = Promise.resolve();

  constructor(system: ModelSystem, phase: readonly Fault[], commandCount: number) {
    this.#system = system;
    this.#commandCount = commandCount;
    this.#steps = phase
      .flatMap(({ kind, from, until }) => {
        const steps: FaultSteps = faults[kind];
        const { begin, end } = steps;
        return [
          { at: from, step: () => begin(system) },
          ...(end === undefined ? [] : [{ at: until, step: () => end(system) }]),
        ];
      })
      .sort((a, b) => a.at - b.at);
  }

  commandBegins(): void {
    const done = this.#begun / Math.max(1, this.#commandCount);
    this.#begun += 1;
    this.#runUpTo(done);
  }

  /** Waits for all faults, and for fanout to be one again. What is frozen stays so. */
  async end(): Promise<void> {
    this.#runUpTo(1);
    await this.#running;
    await this.#system.mendFanout();
  }

  #runUpTo(done: number): void {
    while (this.#steps[0] !== undefined && this.#steps[0].at <= done) {
      const { step } = this.#steps.shift() ?? { step: () => Promise.resolve() };
      this.#running = this.#running.then(step);
      this.#running.catch(() => undefined);
    }
  }
}
