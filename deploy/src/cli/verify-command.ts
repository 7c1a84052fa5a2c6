import { type Command, Option } from 'commander';
import { showProgress } from '../import/progress.js';
import { readVerifyConfig } from '../verify/config.js';
import { type ReaderChoice, type VerifyReport, verifyFeeds } from '../verify/verify-feeds.js';
import { verifyText } from '../verify/verify-text.js';
import { withVerifyTools } from '../verify/verify-tools.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';
import { wholeNumber } from './whole-number.js';

const sampleDefault = 1_000;
const sampleMax = 10_000_000;
const waitDefaultS = 10;
const waitMaxS = 3_600;

interface VerifyCommandOptions {
  readers?: number;
  reader?: string;
  all: boolean;
  repair: boolean;
  wait: number;
  json: boolean;
}

export function addVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .summary('hold the feeds in Redis against the database')
    .description(
      'hold the feeds in Redis against the database, while the system runs. Says by reader which ids are missing from its ' +
        'inbox or outbox, extra in it or out of order. Needs TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL and ' +
        'TIDELINE_NAMESPACE, and where something differs TIDELINE_KAFKA_BROKERS, to know whether it is only on its way.',
    )
    .addOption(
      new Option('--readers <count>', `so many users, chosen at random (default: ${sampleDefault})`)
        .argParser(wholeNumber('--readers', 1, sampleMax))
        .conflicts(['reader', 'all']),
    )
    .addOption(new Option('--reader <user>', 'one user, by id').conflicts('all'))
    .option('--all', 'every user', false)
    .option('--repair', 'drop what differs, which is always safe: it is built anew when it is next read', false)
    .addOption(
      new Option('--wait <seconds>', 'how long fanout may take to deliver what is on the log')
        .default(waitDefaultS)
        .argParser(wholeNumber('--wait', 0, waitMaxS)),
    )
    .option('--json', 'the report as JSON', false);
  addExamples(command, {
    verify: `${sampleDefault.toLocaleString('en')} users chosen at random`,
    'verify --all --repair': 'everybody; what differs is dropped and compared again',
    'verify --reader anna --json': 'one user, for scripts',
  }).action(async (options: VerifyCommandOptions) => {
    const report = await run(options);
    console.log(options.json ? JSON.stringify(report, undefined, 2) : verifyText(report));
    process.exitCode = statusOf(report);
  });
}

async function run({ repair, wait, ...options }: VerifyCommandOptions): Promise<VerifyReport> {
  return withVerifyTools(readVerifyConfig(), async (tools) => {
    let progress: ReturnType<typeof showProgress> | undefined;
    try {
      return await verifyFeeds(tools, choiceOf(options), {
        repair,
        patienceMs: wait * 1_000,
        onStart: (readers) => {
          progress = showProgress('readers', readers, 0);
        },
        onProgress: (readers) => progress?.update(readers),
      });
    } finally {
      progress?.stop();
    }
  });
}

function choiceOf({ all, reader, readers }: Pick<VerifyCommandOptions, 'all' | 'reader' | 'readers'>): ReaderChoice {
  if (all) {
    return { all: true };
  }
  return reader === undefined ? { sample: readers ?? sampleDefault } : { reader };
}

function statusOf({ different, undecided }: VerifyReport): number {
  if (different.length > 0) {
    return exitStatus.failed;
  }
  return undecided.length > 0 ? exitStatus.undecided : exitStatus.done;
}
