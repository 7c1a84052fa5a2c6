import { type Database, isUndefinedTable } from './database.js';
import { TidelineError } from './errors.js';
import { isRefused, isUndefinedRole } from './refusals.js';

/** Which incarnation of the topic is written now, and how many partitions it has. */
export interface LogGeneration {
  generation: number;
  partitions: number;
}

/** The current generation. Throws `configuration` where set-up did not run yet, or not for this role. */
export async function readLogGeneration(database: Database, topic: string): Promise<LogGeneration> {
  const row = await database
    .oneOrNone<LogGeneration>(
      'select generation, partitions from log_generations where topic = $1 order by generation desc limit 1',
      [topic],
    )
    .catch((error: unknown) => {
      if (isUndefinedTable(error) || isUndefinedRole(error)) {
        return null;
      }
      // Every service begins with this question, so that a wrong privilege is said at start.
      throw isRefused(error) ? refusedAtStart(error) : error;
    });
  if (row === null) {
    throw new TidelineError('configuration', `The topic ${topic} is not set up: run "tideline setup" first.`);
  }
  return row;
}

function refusedAtStart(error: Error): TidelineError {
  return new TidelineError(
    'configuration',
    `The database refuses: ${error.message}. Run "tideline setup" as the owner of the database; a user of its own for each service has to be a member of that service's role, as docs/operating.md says.`,
    { cause: error },
  );
}
