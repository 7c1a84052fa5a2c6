import type { Cache, ScriptCall } from '@tideline/shared/cache';
import type { Database } from '@tideline/shared/database';
import { isTidelineError, outcomeUnknown } from '@tideline/shared/errors';
import type { Logger } from '@tideline/shared/logger';
import { beforeDeadline } from '../deadline.js';

/** Together with the wait for Kafka, the longest that a caller waits. */
const correctionTimeoutMs = 5_000;
/** The epoch may be confirmed anew while we work; more often than this it does not settle. */
const publishAttemptsMax = 4;

export interface CorrectionTools {
  database: Database;
  cache: Cache;
  metrics: { outcomeUnknown(): void };
  logger: Logger;
}

export interface Correction<Projected = unknown> {
  /** Brings the acknowledged record into TimescaleDB, by its version. */
  project(database: Database): Promise<Projected>;
  /**
   * The calls that make readers see it, where they would not see it soon anyway. Asked for anew at each try, because
   * key names change with the cache epoch.
   */
  publish?(cache: Cache, projected: Projected): ScriptCall[];
}

/**
 * The second half of an acknowledged correction (I8): TimescaleDB, then Redis. Throws `outcome_unknown` with the
 * record's id where that is not done within 5 s: the record is on the log and will be applied some time, but readers may
 * go on seeing what it corrects, so that the caller has to repeat it.
 */
export async function correct<Projected>(
  tools: CorrectionTools,
  recordId: string,
  correction: Correction<Projected>,
): Promise<void> {
  const late = () => new Error(`not done within ${correctionTimeoutMs} ms`);
  try {
    await beforeDeadline(projectAndPublish(tools, correction), correctionTimeoutMs, late);
  } catch (error) {
    tools.metrics.outcomeUnknown();
    tools.logger.warn({ err: error, recordId }, 'an acknowledged correction was not applied everywhere');
    throw outcomeUnknown('The change was written but not applied everywhere: the outcome is unknown, retry.', {
      cause: error,
      details: { ids: [recordId] },
    });
  }
}

async function projectAndPublish<Projected>(
  { database, cache }: CorrectionTools,
  correction: Correction<Projected>,
): Promise<void> {
  const projected = await correction.project(database);
  if (correction.publish === undefined) {
    return;
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await cache.settled();
      await cache.run(correction.publish(cache, projected));
      return;
    } catch (error) {
      if (!isTidelineError(error, 'cache_refused') || attempt === publishAttemptsMax) {
        throw error;
      }
    }
  }
}
