import { activityIdMinter, activityIdToBytes } from '@tideline/shared/activity-id';
import type { Cache } from '@tideline/shared/cache';
import { recordLive } from '@tideline/shared/live-records';
import { loadScript } from '@tideline/shared/redis-script';

const fanoutSource = new URL('../services/fanout/src/', import.meta.url).href;
const insertIds = loadScript('insert-ids', fanoutSource, loadScript('check-fence', fanoutSource), recordLive);
const setFence = loadScript('set-fence', fanoutSource);

/** No partition of the topic, so nobody else has a fence for it. */
const partition = 100_000;
const fence = '1';
const fenceTtlS = 600;
const inboxCap = 500;
const listSlack = 32;
const listsPerCall = 1_000;
const deliveriesMinDefault = 500_000;
/** Round trips under way, so that Redis never waits for us. */
const roundTrips = 2;

/**
 * Deliveries a second that Redis takes from a client that does nothing else: fanout's own script, 1,000 inboxes a call,
 * one new id for each, pipelined. The inboxes must exist; the calls ignore buckets, as one Redis allows.
 */
export async function rawScriptLimit(
  cache: Cache,
  readers: readonly string[],
  deliveriesMin = deliveriesMinDefault,
): Promise<number> {
  const { keys } = cache;
  const guards = [keys.bucketEpoch(0), keys.fences(0)];
  await cache.runOne(setFence, guards, [keys.epoch, partition, fence, fenceTtlS]);
  const mintId = activityIdMinter();
  const parts = inWholeCalls(readers.map((reader) => keys.list('inbox', reader)));
  let delivered = 0;
  const pump = async () => {
    while (delivered < deliveriesMin) {
      const answers = await cache.run(
        parts.map((lists) => ({
          script: insertIds,
          keys: [...guards, keys.watched(0), keys.live(0), ...lists],
          args: [
            keys.epoch,
            partition,
            fence,
            keys.liveChannel,
            inboxCap,
            listSlack,
            '0',
            oneIdEach(mintId(Date.now())),
          ],
        })),
      );
      delivered += answers.reduce<number>((sum, answer) => sum + Number(answer), 0);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: roundTrips }, pump));
  return delivered / ((performance.now() - startedAt) / 1000);
}

function inWholeCalls(lists: readonly string[]): string[][] {
  const calls = Math.floor(lists.length / listsPerCall);
  if (calls === 0) {
    throw new Error(`the raw limit of the script needs ${listsPerCall} readers`);
  }
  return Array.from({ length: calls }, (_, i) => lists.slice(i * listsPerCall, (i + 1) * listsPerCall));
}

/** The same id for every list of a call, as the script takes it. */
function oneIdEach(id: string): Buffer {
  const one = Buffer.concat([Buffer.from([0, 1]), activityIdToBytes(id)]);
  return Buffer.concat(Array.from({ length: listsPerCall }, () => one));
}
