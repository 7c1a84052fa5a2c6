import type { LogVersion } from '@tideline/shared/activity-record';
import { type Database, prepared } from '@tideline/shared/database';
import { isFollowing, lastTurnBefore } from '@tideline/shared/follow-records';

/** Two users, and the version of a record of theirs. */
export interface FollowPair {
  followerId: string;
  followeeId: string;
  since: LogVersion;
}

export interface FollowRecordRow extends LogVersion {
  followerId: string;
  followeeId: string;
  id: string;
  verb: 'follow' | 'unfollow';
  /** Its follower deleted it, or does not follow any more, even if the record of that is still to come. */
  over: boolean;
}

const historySql = `
  select pair.follower_id as "followerId", pair.followee_id as "followeeId", record.id, record.verb,
    record.log_generation as generation, record.log_partition as partition, record.log_offset::float8 as offset,
    exists (select from tombstones t where t.activity_id = record.id and t.author_id = pair.follower_id)
      or not ${isFollowing('pair.follower_id', 'pair.followee_id')} as over
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
  ) record
  order by record.log_generation, record.log_offset`;

/** All records of each pair since then, in order, and before them the one that tells whether the follow stood. */
export async function readFollowHistory(database: Database, pairs: readonly FollowPair[]): Promise<FollowRecordRow[]> {
  if (pairs.length === 0) {
    return [];
  }
  return database.any<FollowRecordRow>(
    prepared('read-follow-history', historySql, [
      pairs.map(({ followerId }) => followerId),
      pairs.map(({ followeeId }) => followeeId),
      pairs.map(({ since }) => since.generation),
      pairs.map(({ since }) => since.offset),
    ]),
  );
}

const followsSql = `
  select distinct id, actor_id as "followerId", object_id as "followeeId"
  from control_activities
  where id = any($1::uuid[]) and verb = 'follow'`;

export interface FollowRecordPair {
  id: string;
  followerId: string;
  followeeId: string;
}

/** Whose follows these ids are, of those that are follows. */
export async function readFollowsById(database: Database, ids: readonly string[]): Promise<FollowRecordPair[]> {
  return ids.length === 0 ? [] : database.any<FollowRecordPair>(prepared('read-follows-by-id', followsSql, [ids]));
}
