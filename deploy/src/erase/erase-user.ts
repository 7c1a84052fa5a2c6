import { setTimeout as delay } from 'node:timers/promises';
import type { Cache } from '@tideline/shared/cache';
import type { ServerConfig } from '@tideline/shared/config';
import type { VerifyTools } from '@tideline/shared/verify/verify-readers';
import type pg from 'pg';
import { beginCacheEpoch, removeOldKeys } from '../rebuild/publish-projections.js';
import { chunksOfActivities } from '../rebuild/whole-steps.js';
import { connectToDatabase } from '../setup/database-client.js';
import { withSetUpLock } from '../setup/set-up-lock.js';
import { withVerifyTools } from '../verify/verify-tools.js';
import { chunksOfAudit, eraseAuditEntries, eraserApplication } from './audit-entries.js';
import { eraseContents } from './contents.js';
import { eraseControlEvents } from './control-events.js';
import {
  type Counts,
  type Erasure,
  finishErasure,
  forgetSteps,
  openErasure,
  type Progress,
  readProgress,
  requireEvents,
} from './erasure.js';
import { eraseFromHome } from './home-feeds.js';
import { forgetObjects, removeCopies } from './redis-copies.js';
import { type RemainingRecords, readRemainingRecords } from './remaining-records.js';
import { setEnd, takeKeysAndObjects } from './set-end.js';

/** For so long processes remember whose a key is; names and titles for less, and requests are over by then. */
const memoryDefaultMs = 10_000;
const pollMs = 50;
/** What was brought into Redis by somebody who had it in hand is looked for so often, until nothing is found. */
const looksMax = 3;

export interface EraseOptions {
  config: ServerConfig;
  userId: string;
  reason?: string | undefined;
  /** How long fanout may take to be done with what is on the log. */
  patienceMs: number;
  memoryMs?: number;
  /** Of what is done in the database. */
  onStep?(step: string, done: number, total: number): void;
  /** What is waited for. */
  onWait?(sentence: string): void;
  /** Between steps: throws where the operator wants to stop. */
  signal?: AbortSignal;
}

export interface EraseReport {
  /** What is remembered of the user's id. */
  digest: string;
  /** Rows, by table. */
  counts: Counts;
  keysRemoved: number;
  /** False: fanout has not come to all that was on the log, so the same command has to look again. */
  isDone: boolean;
  /** It was begun before. */
  isResumed: boolean;
  remaining: RemainingRecords[];
}

interface Tools {
  options: EraseOptions;
  client: pg.Client;
  log: VerifyTools['log'];
  cache: Cache;
  erasure: Erasure;
}

/**
 * Takes everything of a user out of TimescaleDB, Redis and answers, while the system runs, so that no replay brings it back
 * (docs/decisions/0021-erasure.md). Every step is a transaction that can be repeated, and one that was interrupted goes on.
 * Throws `unavailable` where a server does not answer, to be repeated then, and `configuration` while events are missing.
 */
export async function eraseUser(options: EraseOptions): Promise<EraseReport> {
  const { config, userId, reason } = options;
  return withSetUpLock(config.databaseUrl, async (owner) => {
    await requireEvents(owner);
    return withVerifyTools(config, ({ log, cache }) =>
      withEraser(config, async (client) => {
        const erasure = await openErasure(client, userId, reason);
        return erase({ options, client, log, cache, erasure });
      }),
    );
  });
}

async function withEraser<T>(config: ServerConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectToDatabase(config.databaseUrl, {
    role: 'tideline_eraser',
    applicationName: eraserApplication,
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function erase(tools: Tools): Promise<EraseReport> {
  const { options, client, erasure } = tools;
  const { config } = options;
  await begin(tools);
  const isCaughtUp = await untilFanoutIsThere(tools);
  await takeSteps(tools, isCaughtUp);
  const keysRemoved = await eraseFromRedis(tools);
  const { beganAt, counts } = await readProgress(client, erasure);
  if (isCaughtUp) {
    await finishErasure(client, erasure);
  } else {
    await forgetSteps(client, erasure, ['keys', 'end']);
  }
  const remaining = await readRemainingRecords(config, beganAt);
  const { digest, isResumed } = erasure;
  return { digest, counts, keysRemoved, isDone: isCaughtUp, isResumed, remaining };
}

/** Until then nobody is to act with the user's keys, or to be told what is the user's. */
async function begin(tools: Tools): Promise<void> {
  const { options, client, log, erasure } = tools;
  const { config, memoryMs = memoryDefaultMs, onWait, signal } = options;
  const { steps } = await readProgress(client, erasure);
  if (!steps.has('end')) {
    await takeKeysAndObjects(client, erasure);
    await forgetTakenObjects(tools);
    onWait?.(`Waiting ${memoryMs / 1_000} s until nobody takes the user's keys any more …`);
    await delay(memoryMs, undefined, { ...(signal && { signal }) });
    // Whoever had read one before may have brought it back.
    await forgetTakenObjects(tools);
    await setEnd(client, config.namespace, erasure, () => log.end());
  }
  // Those that went with the end, too, also where it was set by a run that was interrupted then.
  await forgetTakenObjects(tools);
}

async function forgetTakenObjects({ options, client, cache, erasure }: Tools): Promise<void> {
  const { objects } = await readProgress(client, erasure);
  await forgetObjects(options.config, cache.keys.epoch, objects);
}

/** What is on its way is in the database then, and nobody has it in hand. */
async function untilFanoutIsThere({ options, client, log, erasure }: Tools): Promise<boolean> {
  const { patienceMs, onWait, signal } = options;
  const { end } = await readProgress(client, erasure);
  const point = new Map(end?.ends.map((offset, partition) => [partition, offset]));
  const deadline = performance.now() + patienceMs;
  for (let isFirst = true; ; isFirst = false) {
    signal?.throwIfAborted();
    if (await log.hasPassed(point)) {
      return true;
    }
    if (performance.now() > deadline) {
      return false;
    }
    if (isFirst) {
      onWait?.(`Waiting ${patienceMs / 1_000} s at most until fanout is done with what is on the log …`);
    }
    await delay(pollMs);
  }
}

interface Step {
  name: string;
  run(progress: Progress): Promise<void>;
}

async function takeSteps({ options, client, erasure }: Tools, isCaughtUp: boolean): Promise<void> {
  const { onStep, signal } = options;
  const steps = await stepsOf(client, erasure, isCaughtUp);
  for (const [done, { name, run }] of steps.entries()) {
    signal?.throwIfAborted();
    onStep?.(name, done, steps.length);
    const progress = await readProgress(client, erasure);
    if (!progress.steps.has(name)) {
      await run(progress);
    }
  }
  onStep?.('', steps.length, steps.length);
}

/** What is done before fanout is there counts for nothing once it is: each step is then done again. */
async function stepsOf(client: pg.Client, erasure: Erasure, isCaughtUp: boolean): Promise<Step[]> {
  const chunks = await chunksOfActivities(client);
  const audit = await chunksOfAudit(client);
  const nameOf = (what: string) => (isCaughtUp ? what : `${what}, before fanout was there`);
  const [control, home] = [nameOf('control events'), nameOf('materialised home feeds')];
  return [
    {
      name: control,
      run: async ({ end }) => end && eraseControlEvents(client, erasure, end, isCaughtUp, control),
    },
    ...chunks.map((chunk) => {
      const name = nameOf(`activities from ${chunk.from.toISOString()}`);
      return { name, run: (progress: Progress) => eraseContents(client, erasure, progress, chunk, name) };
    }),
    { name: home, run: () => eraseFromHome(client, erasure, home) },
    ...audit.map((chunk) => {
      const name = nameOf(`audit from ${chunk.from.toISOString()}`);
      return {
        name,
        run: (progress: Progress) => eraseAuditEntries(client, erasure, progress, isCaughtUp, chunk, name),
      };
    }),
  ];
}

/** All lists, registers, streams and copies are of a cache epoch that is over; what had to be found is looked for. */
async function eraseFromRedis({ options, client, erasure }: Tools): Promise<number> {
  const { config, memoryMs = memoryDefaultMs, onWait } = options;
  const { userId } = erasure;
  const { recentIds } = await readProgress(client, erasure);
  const epoch = await beginCacheEpoch(config);
  let removed = await removeOldKeys(config, epoch);
  removed += await removeCopies(config, epoch, { userId, recentIds });
  for (let look = 1, found = 1; look <= looksMax && found > 0; look += 1) {
    onWait?.(`Waiting ${memoryMs / 1_000} s until nobody has any of it in memory …`);
    await delay(memoryMs);
    found = await removeCopies(config, epoch, { userId, recentIds });
    removed += found + (await removeOldKeys(config, epoch));
  }
  return removed;
}
