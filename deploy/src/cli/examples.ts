import type { Command } from 'commander';

/** Shows in a command's help how it is used: what follows `npx tideline`, and what that is for. */
export function addExamples(command: Command, examples: Record<string, string>): Command {
  const lines = Object.entries(examples).flatMap(([line, what]) => [`  # ${what}`, `  npx tideline ${line}`]);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
