import { TidelineError } from '@tideline/shared/errors';
import type { Command } from 'commander';
import { showProgress } from '../import/progress.js';
import { publishProjections } from '../rebuild/publish-projections.js';
import { rebuildProjections } from '../rebuild/rebuild-projections.js';
import { readMissingEvents } from '../replay/missing-events.js';
import { connectToDatabase } from '../setup/database-client.js';
import { readVerifyConfig } from '../verify/config.js';
import { addExamples } from './examples.js';
import { listenForStop } from './stop-requests.js';

interface RebuildOptions {
  again: boolean;
  json: boolean;
}

export function addRebuildCommand(program: Command): void {
  const command = program
    .command('rebuild')
    .summary('make everything anew that is made of events, while the system runs')
    .description(
      'make everything anew that is made of events: follows, mutes, blocks, deletes, users, objects, counts and ' +
        'notifications in TimescaleDB, and all of Redis. What is right already is not touched; how much was not is said. ' +
        'Services may run: readers see what was before or what is after, never anything between, or a 503 where a ' +
        'projection was emptied. Needs TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL and TIDELINE_NAMESPACE.',
    )
    .option('--again', 'begin from the start, where one that was interrupted would be taken up', false)
    .option('--json', 'the report as JSON', false);
  addExamples(command, {
    rebuild: 'in doubt, or after a projection was emptied',
    'rebuild --json': 'for scripts: how many rows were written and removed',
  }).action(async ({ again, json }: RebuildOptions) => {
    const report = await rebuild(again);
    console.log(
      json
        ? JSON.stringify(report, undefined, 2)
        : `Rebuilt in ${(report.tookMs / 1_000).toFixed(1)} s: ${report.written} rows written, ${report.removed} taken away. ` +
            `Cache epoch ${report.epoch} began; ${report.keysRemoved} keys of earlier ones are gone.`,
    );
  });
}

async function rebuild(again: boolean) {
  const config = readVerifyConfig();
  await requireEvents(config.databaseUrl);
  const startedAt = performance.now();
  let progress: ReturnType<typeof showProgress> | undefined;
  let done = 0;
  try {
    const projections = await rebuildProjections({
      databaseUrl: config.databaseUrl,
      again,
      signal: listenForStop().stop,
      onStart: (steps, before) => {
        done = before;
        progress = showProgress('steps', steps, before);
      },
      onStep: () => {
        done += 1;
        progress?.update(done);
      },
    });
    progress?.say('TimescaleDB is rebuilt. Beginning a new cache epoch …');
    const published = await publishProjections(config);
    return { ...projections, ...published, tookMs: Math.round(performance.now() - startedAt) };
  } finally {
    progress?.stop();
  }
}

/** What is made of events that are not there would not be right. */
async function requireEvents(databaseUrl: string): Promise<void> {
  const client = await connectToDatabase(databaseUrl);
  try {
    const missing = await readMissingEvents(client);
    if (missing !== undefined) {
      throw new TidelineError(
        'configuration',
        `Events are missing since ${missing.since.toISOString()} (${missing.reason}): run \`npx tideline replay\`, which rebuilds, too.`,
      );
    }
  } finally {
    await client.end();
  }
}
