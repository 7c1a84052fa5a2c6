import type { Command } from 'commander';
import { readSetUpConfig } from '../setup/config.js';
import { setUp } from '../setup/set-up.js';

export function addSetUpCommand(program: Command): void {
  program
    .command('setup')
    .description('create or upgrade what the services need: database, schema, topics. Safe to repeat.')
    .action(async () => {
      await setUp(readSetUpConfig(), (line) => console.log(line));
      console.log('set up: everything is there');
    });
}
