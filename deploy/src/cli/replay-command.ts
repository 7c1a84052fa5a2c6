import { type Command, Option } from 'commander';
import { type Progress, showProgress } from '../import/progress.js';
import { type ReplayOptions, type ReplayReport, replayEvents } from '../replay/replay-events.js';
import { replayText } from '../replay/replay-text.js';
import { readVerifyConfig } from '../verify/config.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';
import { listenForStop } from './stop-requests.js';
import { sinceOf } from './time-option.js';

interface ReplayCommandOptions {
  again: boolean;
  since?: Date;
  json: boolean;
}

export function addReplayCommand(program: Command): void {
  const command = program
    .command('replay')
    .summary('bring back from Kafka what the database lost')
    .description(
      'read the log again, and store what the database does not have any more: after it was lost and set up anew, or put back ' +
        'from a backup. Services may run. From the first event on that is found to be missing until all is right again, ' +
        'readers get a 503 and no wrong page; where nothing is missing, nothing is written. What Kafka does not keep any more ' +
        'has to come from a backup, before this. Needs TIDELINE_DATABASE_URL (of the owner), TIDELINE_REDIS_URL, ' +
        'TIDELINE_KAFKA_BROKERS and TIDELINE_NAMESPACE.',
    )
    .addOption(
      new Option(
        '--since <time>',
        'only what came since a time (2026-11-21T12:00Z) or so long ago (90m, 24h, 7d): take one before the backup',
      ).argParser(sinceOf),
    )
    .option('--again', 'begin from the start, where one that was interrupted would be taken up', false)
    .option('--json', 'the report as JSON', false);
  addExamples(command, {
    replay: 'everything that Kafka keeps; after Ctrl-C it goes on where it was',
    'replay --since 26h': 'after yesterday’s backup was put back',
  }).action(async ({ json, ...options }: ReplayCommandOptions) => {
    const startedAt = performance.now();
    const report = { ...(await replay(options)), tookMs: 0 };
    report.tookMs = Math.round(performance.now() - startedAt);
    console.log(json ? JSON.stringify(report, undefined, 2) : replayText(report));
    process.exitCode = report.leftOut.apply > 0 ? exitStatus.failed : exitStatus.done;
  });
}

async function replay(options: Pick<ReplayOptions, 'again' | 'since'>): Promise<ReplayReport> {
  let progress: Progress | undefined;
  let isRebuilding = false;
  try {
    return await replayEvents(readVerifyConfig(), {
      ...options,
      signal: listenForStop().stop,
      onStart: ({ records, done }) => {
        progress = showProgress('records', records, done);
      },
      onProgress: (records) => progress?.update(records),
      onClosed: () => progress?.say('Events are missing: feeds are closed until they are back.'),
      onRebuild: (steps, done) => {
        if (!isRebuilding) {
          isRebuilding = true;
          progress?.stop();
          progress = showProgress('steps of the rebuild', steps, done);
        }
        progress?.update(done);
      },
    });
  } finally {
    progress?.stop();
  }
}
