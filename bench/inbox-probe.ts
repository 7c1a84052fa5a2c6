import { activityIdToBytes, lowestActivityId } from '@tideline/shared/activity-id';
import type { Cache } from '@tideline/shared/cache';
import { benchScript } from './bench-script.js';

const findIds = benchScript('find-ids');

export interface Expected {
  readerId: string;
  activityId: string;
}

/** For each of these, whether the activity is in the reader's inbox; undefined where there is no inbox to look at. */
export async function findInInboxes(cache: Cache, expected: readonly Expected[]): Promise<(boolean | undefined)[]> {
  const answers = (await cache.runOne(
    findIds,
    expected.map(({ readerId }) => cache.keys.list('inbox', readerId)),
    expected.map(({ activityId }) => activityIdToBytes(activityId)),
  )) as number[];
  return answers.map((answer) => (answer < 0 ? undefined : answer === 1));
}

/** How many of these readers have an inbox that can be read. */
export async function inboxesReady(cache: Cache, readers: readonly string[]): Promise<number> {
  const found = await findInInboxes(
    cache,
    readers.map((readerId) => ({ readerId, activityId: lowestActivityId })),
  );
  return found.filter((answer) => answer !== undefined).length;
}
