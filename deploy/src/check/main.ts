import { Command } from 'commander';
import { listenForStop } from '../cli/stop-requests.js';
import { check } from './check.js';

const { tests } = new Command('check')
  .description('what continuous integration checks: types, lint, formatting, boundaries, dead code, tests')
  .option('--no-tests', 'only what needs no servers')
  .parse()
  .opts<{ tests: boolean }>();

try {
  process.exitCode = (await check({ tests }, listenForStop().stop)) ? 0 : 1;
} catch (error) {
  if ((error as Error).name !== 'AbortError') {
    throw error;
  }
  process.exitCode = 130;
}
