import { type LogReplayReport, replayLog } from '@tideline/fanout/kafka/log-replay';
import type { ServerConfig } from '@tideline/shared/config';
import { beginCachesAnew, publishProjections } from '../rebuild/publish-projections.js';
import { type RebuildReport, rebuildProjections } from '../rebuild/rebuild-projections.js';
import {
  type ExtentOptions,
  forgetReplayProgress,
  type LogExtent,
  readExtent,
  saveProgress,
  withReplayGroup,
} from './log-extent.js';
import { closeFeeds, raiseEpochs, readMissingEvents } from './missing-events.js';
import { type ReplayTools, withReplayTools } from './replay-tools.js';

export interface ReplayOptions extends ExtentOptions {
  signal: AbortSignal;
  onStart?(extent: LogExtent): void;
  onProgress?(records: number): void;
  /** Feeds are closed from here on: events are missing, as was known or was just found. */
  onClosed?(): void;
  onRebuild?(steps: number, done: number): void;
}

export interface ReplayReport extends LogReplayReport, Pick<LogExtent, 'dropped'> {
  /** Present where events were missing: projections were rebuilt, and feeds opened again. */
  rebuilt?: RebuildReport & { epoch: string };
}

/**
 * Brings back from Kafka what the event store lost, while the system runs (E4). From the first event on that is found to be
 * missing until everything is right, whoever reads gets a 503; where none is, nothing is written and nobody notices. Stopped
 * at any point, the same call goes on. Throws `unavailable` and `configuration`.
 */
export async function replayEvents(config: ServerConfig, options: ReplayOptions): Promise<ReplayReport> {
  return withReplayTools(config, async (tools) => {
    const extent = await readExtent(tools, options);
    options.onStart?.(extent);
    if ((await readMissingEvents(tools.client)) !== undefined) {
      await forgetCaches(tools);
      options.onClosed?.();
    }
    const replayed = await withReplayGroup(tools, extent, (groupId) =>
      replayLog(replayOptions(tools, groupId, extent, options)),
    );
    const report = { ...replayed, dropped: extent.dropped };
    const rebuilt = (await readMissingEvents(tools.client)) && (await makeWhole(tools, report, options));
    await forgetReplayProgress(tools.client);
    return { ...report, ...(rebuilt && { rebuilt }) };
  });
}

function replayOptions(tools: ReplayTools, groupId: string, { upTo, done }: LogExtent, options: ReplayOptions) {
  return {
    ...tools,
    groupId,
    upTo,
    signal: options.signal,
    async onStored(transaction: Pick<ReplayTools['database'], 'any'>) {
      await transaction.any(closeFeeds, ['a replay of the log found events that were missing']);
    },
    async onFirstStored() {
      await forgetCaches(tools);
      options.onClosed?.();
    },
    onTaken: (partition: number, next: number) => saveProgress(tools, partition, next),
    onProgress: (read: number) => options.onProgress?.(done + read),
  };
}

/** Lists in Redis were right before events were lost; since then they may have been filled from what was left. */
async function forgetCaches({ client, config }: ReplayTools): Promise<void> {
  await client.query(raiseEpochs);
  await beginCachesAnew(client, config);
}

/** Everything that is made of events, and feeds are open. */
async function makeWhole(
  { config, client }: ReplayTools,
  { stored }: LogReplayReport,
  { signal, onRebuild }: ReplayOptions,
): Promise<RebuildReport & { epoch: string }> {
  let done = 0;
  let steps = 0;
  const rebuilt = await rebuildProjections({
    databaseUrl: config.databaseUrl,
    // What an interrupted one did was with fewer events.
    again: stored > 0,
    signal,
    onStart(all, before) {
      steps = all;
      done = before;
    },
    onStep() {
      done += 1;
      onRebuild?.(steps, done);
    },
  });
  const { epoch } = await publishProjections(config);
  // In one transaction: what is opened again begins anew, whatever becomes of it later.
  await client.query('begin; select open_feeds(); delete from replay_progress; commit');
  return { ...rebuilt, epoch };
}
