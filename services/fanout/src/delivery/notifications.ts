import type { Activity } from '@tideline/shared/activity';
import { activityIdToBytes, timestampOf } from '@tideline/shared/activity-id';
import { applyTombstones, type Tombstone } from '@tideline/shared/projections';
import { ListUpdates } from '../inbox/list-updates.js';
import { markPurged } from '../storage/activity-reader.js';
import { type BegunFollow, isOver } from '../storage/follow-history.js';
import { writeBodies } from './bodies.js';
import type { Delivery } from './delivery.js';

/**
 * Makes the lists of those who were followed or unfollowed agree with what is committed: puts in the records that began
 * the follows that stand, and takes out those of this batch that ended. What an earlier batch ended is out already, and
 * what a later one did is redelivered with it.
 */
export async function applyFollowNotifications(delivery: Delivery, begun: readonly BegunFollow[]): Promise<void> {
  const { database, inboxes, hold } = delivery;
  const standing = begun.filter((follow) => !isOver(follow) && !follow.isEnding && !follow.isDeleted);
  await writeBodies(delivery, standing.map(bodyOf));
  await removeFollows(delivery, begun.filter(isOver));
  await inboxes.insert(hold, listUpdates(standing), 'accept');
  // Readers know what was ended by its tombstone until it is out: ingest has written it, or will find it here.
  const tombstones = begun.flatMap(tombstoneOf);
  await applyTombstones(database, tombstones);
  await markPurged(database, tombstones);
}

type NotifyingFollow = Pick<BegunFollow, 'id' | 'followeeId'>;

/** Takes follows out of the notifications of whom they followed. */
export async function removeFollows({ inboxes, hold }: Delivery, follows: readonly NotifyingFollow[]): Promise<void> {
  await inboxes.remove(hold, listUpdates(follows), 'each_id');
}

function listUpdates(follows: readonly NotifyingFollow[]): ListUpdates {
  const updates = new ListUpdates();
  for (const { id, followeeId } of follows.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    updates.add('notifications', followeeId, activityIdToBytes(id));
  }
  return updates;
}

function bodyOf({ id, followerId, followeeId }: BegunFollow): Activity {
  return {
    id,
    actorId: followerId,
    verb: 'follow',
    objectType: 'user',
    objectId: followeeId,
    timestamp: timestampOf(id),
  };
}

function tombstoneOf({ id, followerId, endedBy }: BegunFollow): Tombstone[] {
  return endedBy === undefined
    ? []
    : [{ activityId: id, authorId: followerId, deletedAt: Date.now(), version: endedBy }];
}
