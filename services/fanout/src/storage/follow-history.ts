import type { LogVersion } from '@tideline/shared/activity-record';
import { type Database, prepared, type Queryable } from '@tideline/shared/database';
import { lastTurnBefore } from '@tideline/shared/follow-records';
import type { RecordBatch } from '../delivery/record-batch.js';

/** A follow by the record that began it. */
export interface BegunFollow {
  id: string;
  followerId: string;
  followeeId: string;
  /** The unfollow; undefined: it stands, as far as the log was read. */
  endedBy?: LogVersion;
  /** It began none, because who followed did so already. Said where a replay may have made it so after it notified. */
  isRepetition?: true;
  /** An unfollow is acknowledged whose record is still to come. */
  isEnding: boolean;
  /** Its follower deleted the record. */
  isDeleted: boolean;
}

interface TurnRow extends LogVersion {
  id: string;
  verb: 'follow' | 'unfollow';
  followerId: string;
  followeeId: string;
  isEnding: boolean;
  isDeleted: boolean;
}

const turnsSql = `
  select pair.follower_id as "followerId", pair.followee_id as "followeeId", turn.id, turn.verb,
    turn.log_generation as generation, turn.log_partition as partition, turn.log_offset::float8 as offset,
    not exists (
      select from follows f
      where f.follower_id = pair.follower_id and f.followee_id = pair.followee_id and f.active) as "isEnding",
    exists (
      select from tombstones t where t.activity_id = turn.id and t.author_id = pair.follower_id) as "isDeleted"
  from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[])
    as pair (follower_id, followee_id, log_generation, log_offset)
  cross join lateral (
    (
      select c.id, c.verb, c.log_generation, c.log_partition, c.log_offset
      from control_activities c
      where c.actor_id = pair.follower_id and c.object_id = pair.followee_id and c.verb in ('follow', 'unfollow')
        and (c.log_generation, c.log_offset) >= (pair.log_generation, pair.log_offset)
    )
    union all
    (${lastTurnBefore('pair.follower_id', 'pair.followee_id', '(pair.log_generation, pair.log_offset)')})
  ) turn
  order by turn.log_generation, turn.log_offset`;

/**
 * The follows of each pair of the batch that stood before it or began since then, also in what follows the batch on the
 * log and was written already. To be called once the batch's own records are.
 */
export async function readBegunFollows(transaction: Queryable, batch: RecordBatch): Promise<BegunFollow[]> {
  const pairs = pairsOf(batch);
  if (pairs.length === 0) {
    return [];
  }
  const turns = await transaction.any<TurnRow>(
    prepared('read-follow-turns', turnsSql, [
      pairs.map(({ record }) => record.actorId),
      pairs.map(({ record }) => record.objectId),
      pairs.map(({ version }) => version.generation),
      pairs.map(({ version }) => version.offset),
    ]),
  );
  return followsOf(
    turns,
    batch.controls.some(({ replayedAt }) => replayedAt !== undefined),
  );
}

/** The first record of each pair in the batch. */
function pairsOf({ controls }: RecordBatch): RecordBatch['controls'] {
  const pairs = new Map<string, RecordBatch['controls'][number]>();
  for (const logged of controls) {
    const { kind, actorId, objectId } = logged.record;
    const pair = `${actorId} ${objectId}`;
    if (kind === 'follow' && !pairs.has(pair)) {
      pairs.set(pair, logged);
    }
  }
  return [...pairs.values()];
}

/** Whether nobody is notified of a follow any more. */
export function isOver({ endedBy, isRepetition }: BegunFollow): boolean {
  return endedBy !== undefined || isRepetition === true;
}

/** Of turns in order. Only what is replayed takes a place before what was there already. */
function followsOf(turns: readonly TurnRow[], withRepetitions: boolean): BegunFollow[] {
  const begun: BegunFollow[] = [];
  const standing = new Map<string, BegunFollow>();
  for (const { verb, generation, partition, offset, ...follow } of turns) {
    const pair = `${follow.followerId} ${follow.followeeId}`;
    const current = standing.get(pair);
    if (verb === 'follow' && current === undefined) {
      standing.set(pair, follow);
      begun.push(follow);
    } else if (verb === 'follow' && withRepetitions) {
      begun.push({ ...follow, isRepetition: true });
    } else if (verb === 'unfollow' && current !== undefined) {
      current.endedBy = { generation, partition, offset };
      standing.delete(pair);
    }
  }
  return begun;
}

const followsSql = `
  select distinct id, actor_id as "followerId", object_id as "followeeId"
  from control_activities
  where id = any($1::uuid[]) and verb = 'follow'`;

/** Whose follows these ids are, of those that are follows. */
export async function readFollowsById(
  database: Database,
  ids: readonly string[],
): Promise<Pick<BegunFollow, 'id' | 'followerId' | 'followeeId'>[]> {
  return ids.length === 0 ? [] : database.any(prepared('read-follows-by-id', followsSql, [ids]));
}
