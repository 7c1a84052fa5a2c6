import type pg from 'pg';
import { nameDemoUsers } from '../setup/demo-data.js';
import { withSetUpLock } from '../setup/set-up-lock.js';
import { type LogPart, type Repairs, rebuildPart } from './partition-step.js';
import {
  chunksOfActivities,
  nameHoldersOfKeys,
  rebuildChunk,
  rebuildNotifications,
  recountFollowers,
  removeWeeksWithoutChunk,
} from './whole-steps.js';

export interface RebuildOptions {
  databaseUrl: string;
  /** Steps that an interrupted rebuild had done are done again. */
  again: boolean;
  onStart?(steps: number, done: number): void;
  onStep?(name: string, repairs: Repairs): void;
  /** Between steps: throws where the operator wants to stop. */
  signal?: AbortSignal;
}

export interface RebuildReport extends Repairs {
  steps: number;
  /** Of these, how many an interrupted rebuild had done before. */
  skipped: number;
}

interface Step {
  name: string;
  /** Of which nothing else is written meanwhile. */
  lock: LogPart | 'every part' | 'nothing';
  run(client: pg.Client): Promise<Repairs>;
}

/**
 * Has every projection in TimescaleDB say what the events say (E4, I12), while the system runs. Each step is a transaction:
 * readers see what was before it or what is after it. Fanout waits for the step of a partition that it works on, and goes
 * on. Where projections are closed, because they were emptied, they stay so; `publish` of `publish-projections.ts` comes
 * after this.
 */
export async function rebuildProjections(options: RebuildOptions): Promise<RebuildReport> {
  const { databaseUrl, again, onStart, onStep, signal } = options;
  return withSetUpLock(databaseUrl, async (client) => {
    if (again) {
      await client.query('delete from rebuild_steps');
    }
    const { rows } = await client.query<{ name: string }>('select name from rebuild_steps');
    const done = new Set(rows.map(({ name }) => name));
    const steps = await stepsOf(client);
    const waiting = steps.filter(({ name }) => !done.has(name));
    const report = { steps: steps.length, skipped: steps.length - waiting.length, written: 0, removed: 0 };
    onStart?.(report.steps, report.skipped);
    for (const step of waiting) {
      signal?.throwIfAborted();
      const repairs = await take(client, step);
      report.written += repairs.written;
      report.removed += repairs.removed;
      onStep?.(step.name, repairs);
    }
    await nameDemoUsers(client);
    return report;
  });
}

async function stepsOf(client: pg.Client): Promise<Step[]> {
  const generations = await client.query<{ generation: number; partitions: number }>(
    'select generation, partitions from log_generations order by generation',
  );
  const parts = generations.rows.flatMap(({ generation, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ generation, partition })),
  );
  const chunks = await chunksOfActivities(client);
  return [
    ...parts.map((part) => ({
      name: `generation ${part.generation}, partition ${part.partition}`,
      lock: part,
      run: (on: pg.Client) => rebuildPart(on, part),
    })),
    ...chunks.map((chunk) => ({
      name: `activities from ${chunk.from.toISOString().slice(0, 10)}`,
      lock: 'every part' as const,
      run: (on: pg.Client) => rebuildChunk(on, chunk),
    })),
    { name: 'weeks without activities', lock: 'every part', run: removeWeeksWithoutChunk },
    { name: 'users with keys', lock: 'nothing', run: nameHoldersOfKeys },
    { name: 'notifications', lock: 'every part', run: rebuildNotifications },
    { name: 'followers', lock: 'nothing', run: recountFollowers },
  ];
}

async function take(client: pg.Client, { name, lock, run }: Step): Promise<Repairs> {
  await client.query('begin');
  try {
    await lockOut(client, lock);
    const repairs = await run(client);
    await client.query('insert into rebuild_steps (name) values ($1)', [name]);
    await client.query('commit');
    return repairs;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** Every transaction of fanout locks its partition's fence first, against this. */
async function lockOut(client: pg.Client, lock: Step['lock']): Promise<void> {
  if (lock === 'every part') {
    await client.query('select from partition_fences order by log_partition for update');
  } else if (lock !== 'nothing') {
    await client.query('select from partition_fences where log_partition = $1 for update', [lock.partition]);
  }
}
