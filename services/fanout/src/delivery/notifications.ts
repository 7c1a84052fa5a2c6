import type { Activity } from '@tideline/shared/activity';
import { activityIdToBytes, timestampOf } from '@tideline/shared/activity-id';
import type { LogVersion } from '@tideline/shared/activity-record';
import { applyTombstones, type Tombstone } from '@tideline/shared/projections';
import { ListUpdates } from '../inbox/list-updates.js';
import { markPurged, type StoredContent } from '../storage/activity-reader.js';
import { type FollowPair, type FollowRecordRow, readFollowHistory } from '../storage/follow-history.js';
import { writeBodies } from './bodies.js';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Whom a content notifies: those it is for, or where it is for everybody the owner of its object. Never its actor. */
export function notifiedBy({ actorId, to, objectOwnerId }: StoredContent): string[] {
  const concerned = to ?? (objectOwnerId === null ? [] : [objectOwnerId]);
  return [...new Set(concerned)].filter((userId) => userId !== actorId);
}

/**
 * Makes the lists of those who were followed or unfollowed agree with what the database says now: of each follower the
 * record that began the follow, if it stands, and none of those that this batch ended. What an earlier batch ended is
 * out already, and what a later one did is redelivered with it.
 */
export async function applyFollowNotifications(delivery: Delivery, batch: RecordBatch): Promise<void> {
  const { database, inboxes, hold } = delivery;
  const begun = followsOf(await readFollowHistory(database, pairsOf(batch)));
  const standing = begun.filter(({ endedBy, over }) => endedBy === undefined && !over);
  const ended = begun.filter(({ endedBy }) => endedBy !== undefined);
  await writeBodies(delivery, standing.map(bodyOf));
  await removeFollows(delivery, ended);
  await inboxes.insert(hold, listUpdates(standing), 'accept');
  // Readers know what was ended by its tombstone until it is out: ingest has written it, or will find it here.
  const tombstones = ended.flatMap(tombstoneOf);
  await applyTombstones(database, tombstones);
  await markPurged(database, tombstones);
}

/** Takes follows out of the notifications of whom they followed. */
export async function removeFollows({ inboxes, hold }: Delivery, follows: readonly NotifyingFollow[]): Promise<void> {
  await inboxes.remove(hold, listUpdates(follows), 'each_id');
}

/** Each pair that the batch mentions, with the first of its records. */
function pairsOf({ controls }: RecordBatch): FollowPair[] {
  const pairs = new Map<string, FollowPair>();
  for (const { record, version } of controls) {
    const pair = `${record.actorId} ${record.objectId}`;
    if (record.kind === 'follow' && !pairs.has(pair)) {
      pairs.set(pair, { followerId: record.actorId, followeeId: record.objectId, since: version });
    }
  }
  return [...pairs.values()];
}

type NotifyingFollow = Pick<FollowRecordRow, 'id' | 'followeeId'>;

interface BegunFollow extends FollowRecordRow {
  /** undefined: it stands. */
  endedBy?: LogVersion;
}

/** The records that began a follow, of records in order. */
function followsOf(records: readonly FollowRecordRow[]): BegunFollow[] {
  const begun: BegunFollow[] = [];
  const standing = new Map<string, BegunFollow>();
  for (const record of records) {
    const pair = `${record.followerId} ${record.followeeId}`;
    const current = standing.get(pair);
    if (record.verb === 'follow' && current === undefined) {
      const follow = { ...record };
      begun.push(follow);
      standing.set(pair, follow);
    } else if (record.verb === 'unfollow' && current !== undefined) {
      current.endedBy = record;
      standing.delete(pair);
    }
  }
  return begun;
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

function listUpdates(follows: readonly NotifyingFollow[]): ListUpdates {
  const updates = new ListUpdates();
  for (const { id, followeeId } of follows.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    updates.add('notifications', followeeId, activityIdToBytes(id));
  }
  return updates;
}
