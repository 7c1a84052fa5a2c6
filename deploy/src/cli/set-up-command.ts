import type { Command } from 'commander';
import { readSetUpConfig } from '../setup/config.js';
import { setUp } from '../setup/set-up.js';
import { addExamples } from './examples.js';

export function addSetUpCommand(program: Command): void {
  const command = program
    .command('setup')
    .alias('set-up')
    .summary('create or upgrade what the services need')
    .description('create or upgrade what the services need: database, schema, topics. Safe to repeat.');
  addExamples(command, {
    setup: 'before the first start, and before that of a new version',
  });
  command.action(async () => {
    await setUp(readSetUpConfig(), (line) => console.log(line));
    console.log('set up: everything is there');
  });
}
