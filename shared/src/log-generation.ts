import { type Database, isUndefinedTable } from './database.js';
import { TidelineError } from './errors.js';

/** Which incarnation of the topic is written now, and how many partitions it has. */
export interface LogGeneration {
  generation: number;
  partitions: number;
}

/** The current generation. Throws `configuration` where set-up did not run yet. */
export async function readLogGeneration(database: Database, topic: string): Promise<LogGeneration> {
  const row = await database
    .oneOrNone<LogGeneration>(
      'select generation, partitions from log_generations where topic = $1 order by generation desc limit 1',
      [topic],
    )
    .catch((error: unknown) => {
      if (isUndefinedTable(error)) {
        return null;
      }
      throw error;
    });
  if (row === null) {
    throw new TidelineError('configuration', `The topic ${topic} is not set up: run "tideline setup" first.`);
  }
  return row;
}
