import type { Cache } from '@tideline/shared/cache';
import type { PartitionHold } from '@tideline/shared/feed-lists';
import { encodeLiveRecords, type LiveRecord } from '@tideline/shared/live-records';
import { loadFencedScript } from './fenced-script.js';

const appendPulledScript = loadFencedScript('append-pulled');

/**
 * Records what merged authors did, of whom each record names one as its user. What was recorded is not again. Throws
 * `fenced`, or what is worth repeating: `cache_refused` and `unavailable`.
 */
export async function appendPulled(cache: Cache, hold: PartitionHold, records: readonly LiveRecord[]): Promise<void> {
  if (records.length === 0) {
    return;
  }
  const { keys } = cache;
  await cache.runOne(
    appendPulledScript,
    [keys.bucketEpoch(0), keys.fences(0), keys.livePulled(), keys.livePulledIds()],
    [keys.epoch, hold.partition, hold.fence, keys.liveChannel, encodeLiveRecords(records)],
  );
}
