import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import { type CrowdRequest, crowdSettings } from '../seed/crowd-settings.js';
import { readLedger } from '../seed/ledger.js';
import { seedCrowd } from '../seed/seed-crowd.js';
import { addExamples } from './examples.js';
import { addTargetOptions, type TargetOptions, targetOf } from './target-options.js';

type SeedOptions = TargetOptions & CrowdRequest;

export function addSeedCommand(program: Command): void {
  const command = program
    .command('seed')
    .summary('a made-up crowd to look at: users, follows, posts and likes')
    .description(
      'a crowd to look at: users who follow each other by a power law, their posts and likes. The same seed makes the same crowd. Goes on where it was stopped; a second run adds nothing.',
    )
    .addOption(numberOption('--users <count>', 'users', 10_000))
    .addOption(numberOption('--posts <count>', 'posts, over 30 days', 50_000))
    .addOption(numberOption('--likes <count>', 'likes (default: two for each post)'))
    .addOption(numberOption('--follows-per-user <count>', 'how many others a user follows on average', 20))
    .addOption(numberOption('--scale <factor>', 'so many times the users, posts and likes', 1))
    .addOption(
      new Option('--seed <number>', 'which crowd; a platform can have several').default(1).argParser(seedNumber),
    );
  addExamples(command, {
    seed: '10,000 users and 50,000 posts: a few minutes',
    'seed --scale 0.01 --seed 2': 'another, small crowd: seconds',
  });
  addTargetOptions(command).action(async (options: SeedOptions) => {
    // Sizes that cannot be are refused before anything is asked of a server.
    const settings = crowdSettings(options);
    await seedCrowd(settings, options.again, {
      ...targetOf(options),
      feedApiUrl: options.feedApi,
      readLedger: (seed) => readLedger(options.feedApi, options.key, seed),
    });
  });
}

function numberOption(flags: string, description: string, fallback?: number): Option {
  const option = new Option(flags, description).argParser((text) => {
    const number = Number(text);
    if (!(text.trim() !== '' && Number.isFinite(number) && number >= 0)) {
      throw new TidelineError('configuration', `${flags}: "${text}" is no number from 0.`);
    }
    return number;
  });
  return fallback === undefined ? option : option.default(fallback);
}

const seedMax = 2 ** 31;

/** It is part of ids. */
function seedNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > seedMax) {
    throw new TidelineError('configuration', `--seed: "${text}" is no whole number from 0 to ${seedMax}.`);
  }
  return number;
}
