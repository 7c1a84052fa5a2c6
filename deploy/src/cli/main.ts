import { isTidelineError, TidelineError } from '@tideline/shared/errors';
import { CommanderError } from 'commander';
import { exitStatus } from './exit-status.js';
import { tidelineProgram } from './program.js';

/** SQLSTATEs of what set-up makes: a database, a table. */
const notSetUpStates: ReadonlySet<unknown> = new Set(['3D000', '42P01']);

try {
  await tidelineProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said it; its own status for help is 0.
    return error.exitCode === 0 ? exitStatus.done : exitStatus.wrongUsage;
  }
  if ((error as Error).name === 'AbortError') {
    console.error('Stopped. The same command goes on from here.');
    return exitStatus.stopped;
  }
  if (notSetUpStates.has((error as { code?: unknown }).code)) {
    console.error('tideline: The database is not set up for this version: run `npx tideline setup` first.');
    return exitStatus.wrongUsage;
  }
  // What Tideline throws on purpose is a sentence for the operator; a stack would hide it.
  console.error(error instanceof TidelineError ? `tideline: ${error.message}` : error);
  return statusOf(error);
}

function statusOf(error: unknown): number {
  if (isTidelineError(error, 'configuration')) {
    return exitStatus.wrongUsage;
  }
  return isTidelineError(error, 'unavailable') ? exitStatus.unavailable : exitStatus.failed;
}
