import { prepared, type Queryable } from './database.js';
import { applyTombstones, type FollowChange, type Tombstone } from './projections.js';

/**
 * Which follow records notify: those that began a follow. The notification stands as long as the follow, so following
 * twice is one notification, and following anew is another one.
 */

const samePair = (a: string, b: string) => `${a}.actor_id = ${b}.actor_id and ${a}.object_id = ${b}.object_id`;
/** All records of a pair are in one partition, so that this is their order. */
const version = (record: string) => `(${record}.log_generation, ${record}.log_offset)`;

/** For a follow record `c`: the one before it of the same pair was no follow. */
const beginsFollow = `
  coalesce((
    select previous.verb
    from control_activities previous
    where ${samePair('previous', 'c')} and previous.verb in ('follow', 'unfollow')
      and ${version('previous')} < ${version('c')}
    order by previous.log_generation desc, previous.log_offset desc
    limit 1), 'unfollow') = 'unfollow'`;

/** Of the pair `follower`, `followee` the last record before a version that is an unfollow or began a follow. */
export function lastTurnBefore(follower: string, followee: string, before: string): string {
  return `
    select c.id, c.verb, c.log_generation, c.log_partition, c.log_offset
    from control_activities c
    where c.actor_id = ${follower} and c.object_id = ${followee} and c.verb in ('follow', 'unfollow')
      and ${version('c')} < ${before} and (c.verb = 'unfollow' or ${beginsFollow})
    order by c.log_generation desc, c.log_offset desc
    limit 1`;
}

const endedSql = `
  select turn.id
  from (${lastTurnBefore('$1', '$2', '($3::integer, $4::bigint)')}) turn
  where turn.verb = 'follow'`;

/**
 * Buries the notification of the follow that an unfollow ends, if the follow is in the database: to be called after
 * `applyFollows`, so that a follow that comes later finds itself ended. Returns its tombstone.
 */
export async function buryFollow(database: Queryable, unfollow: FollowChange): Promise<Tombstone[]> {
  const { followerId, followeeId, changedAt, version: at } = unfollow;
  const follows = await database.any<{ id: string }>(
    prepared('read-ended-follow', endedSql, [followerId, followeeId, at.generation, at.offset]),
  );
  const tombstones = follows.map(({ id }) => ({
    activityId: id,
    authorId: followerId,
    deletedAt: changedAt,
    version: at,
  }));
  await applyTombstones(database, tombstones);
  return tombstones;
}
