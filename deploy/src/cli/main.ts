import { isTidelineError, TidelineError } from '@tideline/shared/errors';
import { Command, CommanderError } from 'commander';
import { addImportCommand } from './import-command.js';
import { addInboxCommand } from './inbox-command.js';
import { addKeysCommand } from './keys-command.js';
import { addSeedCommand } from './seed-command.js';
import { addSetUpCommand } from './set-up-command.js';
import { addVerifyCommand } from './verify-command.js';
import { addWatchCommand } from './watch-command.js';

/**
 * 0: done. 1: failed. 2: wrong usage or a wrong setting; nothing was done. 130: stopped by Ctrl-C. `verify` has one more.
 */
const exitStatus = { failed: 1, wrongUsage: 2, stopped: 130 };

const program = new Command('tideline')
  .description("Tideline's operator tools. Settings come from TIDELINE_… variables.")
  .addHelpText('after', '\nExit status: 0 done, 1 failed, 2 wrong usage or a wrong setting, 130 stopped by Ctrl-C.')
  .exitOverride();
addSetUpCommand(program);
addImportCommand(program);
addSeedCommand(program);
addKeysCommand(program);
addVerifyCommand(program);
addInboxCommand(program);
addWatchCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said it; its own status for help is 0.
    return error.exitCode === 0 ? 0 : exitStatus.wrongUsage;
  }
  if ((error as Error).name === 'AbortError') {
    console.error('Stopped. The same command goes on from here.');
    return exitStatus.stopped;
  }
  // What Tideline throws on purpose is a sentence for the operator; a stack would hide it.
  console.error(error instanceof TidelineError ? `tideline: ${error.message}` : error);
  return isTidelineError(error, 'configuration') ? exitStatus.wrongUsage : exitStatus.failed;
}
