import { type Database, prepared } from '@tideline/shared/database';

const followersSql = `
  select followee_id as "authorId", array_agg(follower_id) as "followerIds"
  from follows where followee_id = any($1::text[]) and active group by followee_id`;

/** Who follows each of these authors, read from the primary. */
export async function readFollowers(database: Database, authorIds: readonly string[]): Promise<Map<string, string[]>> {
  if (authorIds.length === 0) {
    return new Map();
  }
  const rows = await database.any<{ authorId: string; followerIds: string[] }>(
    prepared('read-followers', followersSql, [authorIds]),
  );
  return new Map(rows.map(({ authorId, followerIds }) => [authorId, followerIds]));
}

const followerPageSize = 5_000;

const followerPageSql = `
  select follower_id from follows
  where followee_id = $1 and active and follower_id > $2
  order by follower_id limit ${followerPageSize}`;

/** The followers of one author, however many, in pages. */
export async function* followerPages(database: Database, authorId: string): AsyncGenerator<string[]> {
  for (let after = ''; ; ) {
    const rows = await database.any<{ follower_id: string }>(
      prepared('read-follower-page', followerPageSql, [authorId, after]),
    );
    const last = rows.at(-1);
    if (last === undefined) {
      return;
    }
    yield rows.map((row) => row.follower_id);
    after = last.follower_id;
  }
}

const targetsSql = `
  select f.followee_id as "authorId", f.follower_id as "followerId"
  from unnest($1::text[], $2::text[]) as pair (followee_id, follower_id)
  join follows f using (followee_id, follower_id)
  where f.active`;

export interface Target {
  authorId: string;
  followerId: string;
}

/** Those of the pairs that are follows. */
export async function onlyFollows(database: Database, pairs: readonly Target[]): Promise<Target[]> {
  if (pairs.length === 0) {
    return [];
  }
  return database.any<Target>(
    prepared('read-targets', targetsSql, [
      pairs.map(({ authorId }) => authorId),
      pairs.map(({ followerId }) => followerId),
    ]),
  );
}
