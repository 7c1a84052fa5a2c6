import { Command } from 'commander';
import { addAuditCommand } from './audit-command.js';
import { addDeadLettersCommand } from './dead-letters-command.js';
import { addDoctorCommand } from './doctor-command.js';
import { addEraseCommand } from './erase-command.js';
import { exitStatusText } from './exit-status.js';
import { addImportCommand } from './import-command.js';
import { addInboxCommand } from './inbox-command.js';
import { addKeysCommand } from './keys-command.js';
import { addRebuildCommand } from './rebuild-command.js';
import { addReplayCommand } from './replay-command.js';
import { addSeedCommand } from './seed-command.js';
import { addSetUpCommand } from './set-up-command.js';
import { addVerifyCommand } from './verify-command.js';
import { addWatchCommand } from './watch-command.js';

const introduction = `Tideline's tools, for whoever runs it.

Where the servers are comes from TIDELINE_… variables; without any, it is where \`npm start\` has them on this machine.
docs/operating.md has all of them.`;

/** All of the command line. What a command throws comes out of `parseAsync`. */
export function tidelineProgram(): Command {
  const program = new Command('tideline')
    .description(introduction)
    .usage('COMMAND [OPTIONS]')
    .helpOption('-h, --help', 'what there is, or, after a command, what that does')
    .helpCommand(false)
    .addHelpText('after', '\n`npx tideline COMMAND --help` says more about a command, with examples.')
    .addHelpText('afterAll', exitStatusText)
    .showHelpAfterError('(--help says what there is)')
    .exitOverride();

  program.commandsGroup('To begin:');
  addSetUpCommand(program);
  addKeysCommand(program);
  addImportCommand(program);
  addSeedCommand(program);

  program.commandsGroup('To look:');
  addWatchCommand(program);
  addInboxCommand(program);
  addAuditCommand(program);

  program.commandsGroup('Is everything right?');
  addVerifyCommand(program);
  addRebuildCommand(program);
  addReplayCommand(program);
  addDoctorCommand(program);
  addDeadLettersCommand(program);

  program.commandsGroup('What is to be gone:');
  addEraseCommand(program);

  return program;
}
