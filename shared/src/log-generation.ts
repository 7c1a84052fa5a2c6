import { setTimeout as delay } from 'node:timers/promises';
import { type Database, isDatabaseDown } from './database.js';
import { TidelineError } from './errors.js';
import type { Logger } from './logger.js';

/** Which incarnation of the topic is written now, and how many partitions it has. */
export interface LogGeneration {
  generation: number;
  partitions: number;
}

const retryDelayMs = 1_000;

/** The current generation. Throws `configuration` where set-up did not run yet. */
export async function readLogGeneration(database: Database, topic: string): Promise<LogGeneration> {
  const row = await database
    .oneOrNone<LogGeneration>(
      'select generation, partitions from log_generations where topic = $1 order by generation desc limit 1',
      [topic],
    )
    .catch((error: unknown) => {
      if ((error as { code?: unknown }).code === undefinedTable) {
        return null;
      }
      throw error;
    });
  if (row === null) {
    throw new TidelineError('configuration', `The topic ${topic} is not set up: run "tideline setup" first.`);
  }
  return row;
}

const undefinedTable = '42P01';

/** The same, but waits for a database that is away. */
export async function readLogGenerationWhenUp(
  database: Database,
  topic: string,
  logger: Logger,
): Promise<LogGeneration> {
  for (;;) {
    try {
      return await readLogGeneration(database, topic);
    } catch (error) {
      if (!isDatabaseDown(error)) {
        throw error;
      }
      logger.warn({ err: (error as Error).message }, 'the database cannot be reached yet');
      await delay(retryDelayMs);
    }
  }
}
