import { activityIdToBytes } from '@tideline/shared/activity-id';
import { type FollowState, relationReaders } from '@tideline/shared/projections';
import { appendTombstones, dropLists, dropRegisters, tombstoneName } from '@tideline/shared/registers';
import { ListUpdates, oldestFirst } from '../inbox/list-updates.js';
import {
  markPurged,
  newestAnyIds,
  newestVisibleIds,
  readContents,
  type StoredContent,
} from '../storage/activity-reader.js';
import { readFollowsById } from '../storage/follow-history.js';
import { followerPages } from '../storage/follower-store.js';
import { notifiedBy } from '../storage/notification-writer.js';
import type { Delivery } from './delivery.js';
import { removeFollows } from './notifications.js';
import { recordPulledDeletes } from './pulled-news.js';
import type { RecordBatch } from './record-batch.js';

/** More changes than this in one batch are an import: then dropping the inboxes costs less than merging into them. */
const followMergesMax = 64;

/**
 * Makes inboxes agree with follows that changed, and has the followers' registers loaded anew. `states` is what holds
 * now: a follow that ended since is not merged.
 */
export async function applyFollowChanges(delivery: Delivery, states: readonly FollowState[]): Promise<void> {
  if (states.length === 0) {
    return;
  }
  const { cache } = delivery;
  const readers = new Set(states.map(({ followerId }) => followerId));
  if (states.length > followMergesMax) {
    await cache.run(dropLists(cache, 'inbox', readers));
  } else {
    for (const state of states) {
      await (state.active ? mergeAuthor(delivery, state) : removeAuthor(delivery, state));
    }
  }
  await cache.run(dropRegisters(cache, readers));
}

async function mergeAuthor(
  { database, inboxes, hold }: Delivery,
  { followerId, followeeId }: FollowState,
): Promise<void> {
  const updates = new ListUpdates();
  // One more than a list can hold: a list that cannot take all of the author is then trimmed, and its floor says so.
  const countMax = inboxes.listLengthMax + 1;
  for (const id of oldestFirst(await newestVisibleIds(database, followeeId, followerId, countMax))) {
    updates.add('inbox', followerId, id);
  }
  await inboxes.insert(hold, updates, 'start_over');
}

async function removeAuthor(
  { database, inboxes, hold }: Delivery,
  { followerId, followeeId }: FollowState,
): Promise<void> {
  const updates = new ListUpdates();
  // A list has all ids above its floor, so the author's entries are among its newest that the reader may see; those
  // that were deleted and not taken out yet are among its newest of all.
  const visibleIds = await newestVisibleIds(database, followeeId, followerId, inboxes.listLengthMax);
  const anyIds = await newestAnyIds(database, followeeId, inboxes.listLengthMax);
  for (const id of oldestFirst([...visibleIds, ...anyIds])) {
    updates.add('inbox', followerId, id);
  }
  await inboxes.remove(hold, updates, 'read_again');
}

/** Has the registers of whom mutes and blocks concern loaded anew. No list is touched: readers leave out what is hidden. */
export async function applyRelationChanges({ cache }: Delivery, relations: RecordBatch['relations']): Promise<void> {
  await cache.run(dropRegisters(cache, new Set(relations.flatMap(({ record }) => relationReaders(record)))));
}

/** Takes deleted activities out of every list. Until that is done, readers know them by their tombstones. */
export async function applyDeletes(delivery: Delivery, deletes: RecordBatch['deletes']): Promise<void> {
  if (deletes.length === 0) {
    return;
  }
  const { cache, database } = delivery;
  const tombstones = deletes.map(({ record }) => ({ activityId: record.objectId, authorId: record.authorId }));
  await cache.run([appendTombstones(cache, tombstones)]);

  const authors = new Set(tombstones.map(({ activityId, authorId }) => tombstoneName(activityId, authorId)));
  const ids = [...new Set(tombstones.map(({ activityId }) => activityId))];
  // Deleting what is somebody else's does nothing.
  const contents = (await readContents(database, ids)).filter(({ id, actorId }) =>
    authors.has(tombstoneName(id, actorId)),
  );
  for (const content of contents) {
    await removeActivity(delivery, content);
  }
  await recordPulledDeletes(delivery, contents);
  const follows = await readFollowsById(database, ids);
  await removeFollows(
    delivery,
    follows.filter(({ id, followerId }) => authors.has(tombstoneName(id, followerId))),
  );
  await markPurged(database, tombstones);
}

async function removeActivity({ database, inboxes, hold, heartbeat }: Delivery, content: StoredContent): Promise<void> {
  const { id, actorId } = content;
  const bytes = activityIdToBytes(id);
  const concerned = new ListUpdates();
  concerned.add('inbox', actorId, bytes);
  concerned.add('outbox', actorId, bytes);
  for (const userId of notifiedBy(content)) {
    concerned.add('notifications', userId, bytes);
  }
  await inboxes.remove(hold, concerned, 'each_id');
  for await (const followers of followerPages(database, actorId)) {
    const updates = new ListUpdates();
    for (const followerId of followers) {
      updates.add('inbox', followerId, bytes);
    }
    await inboxes.remove(hold, updates, 'each_id');
    await heartbeat();
  }
}
