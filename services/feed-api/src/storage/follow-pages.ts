import { notHidden } from '@tideline/shared/naive-pull';
import type { SqlScope } from './sql-scope.js';

/**
 * Who follows a user, and whom the user follows, in order of their ids. An id keeps its place however follows change,
 * and both orders have an index: follows_by_followee, and the primary key of follows.
 */

export type FollowSide = 'followers' | 'following';

/** A part of such a list: up to `limit` user ids from one on, the nearest first. Down the list ids ascend. */
export interface UserStretch {
  direction: 'older' | 'newer';
  /** undefined: from the top. */
  from: string | undefined;
  inclusive: boolean;
  limit: number;
}

const columns = {
  followers: { listed: 'f.follower_id', of: 'f.followee_id' },
  following: { listed: 'f.followee_id', of: 'f.follower_id' },
} as const;

/** Without those that the reader does not see. */
export async function followIds(
  sql: SqlScope,
  side: FollowSide,
  userId: string,
  reader: string,
  { direction, from = '', inclusive, limit }: UserStretch,
): Promise<string[]> {
  const { listed, of } = columns[side];
  const comparison = (direction === 'older' ? '>' : '<') + (inclusive ? '=' : '');
  const rows = await sql.any<{ id: string }>(
    `select ${listed} as id
     from follows f
     where ${of} = $<userId> and f.active and ${listed} ${comparison} $<from> and ${notHidden(listed)}
     order by ${listed} ${direction === 'older' ? 'asc' : 'desc'}
     limit $<limit>`,
    { userId, reader, from, limit },
  );
  return rows.map(({ id }) => id);
}
