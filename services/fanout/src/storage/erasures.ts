import type { LogVersion } from '@tideline/shared/activity-record';
import type { Queryable } from '@tideline/shared/database';

/**
 * Who was erased (docs/decisions/0021-erasure.md): up to which place of each partition records about a user are left out.
 * Users are known by digests alone, so they are asked for by name.
 */

/** A place of one partition. */
export type LogPlace = Pick<LogVersion, 'generation' | 'offset'>;

const highestSql = `
  select generation, ends[$1 + 1]::float8 as offset from erasures
  where began_at is not null
  order by generation desc, ends[$1 + 1] desc nulls last
  limit 1`;

/** From this place of a partition on nothing is about a user who was erased; undefined: nobody was. */
export async function readErasedBelow(database: Queryable, partition: number): Promise<LogPlace | undefined> {
  return (await database.oneOrNone<LogPlace>(highestSql, [partition])) ?? undefined;
}

const usersSql = `
  select distinct on (named.user_id) named.user_id as "userId", e.generation, e.ends[$2 + 1]::float8 as offset
  from unnest($1::text[]) as named (user_id)
  join erasures e on e.user_digest = erasure_digest(named.user_id)
  where e.began_at is not null
  order by named.user_id, e.generation desc, e.ends[$2 + 1] desc nulls last`;

/** Those of these users who were erased, with the place of the partition below which they were. */
export async function readErasedUsers(
  database: Queryable,
  partition: number,
  userIds: readonly string[],
): Promise<Map<string, LogPlace>> {
  const rows = await database.any<LogPlace & { userId: string }>(usersSql, [userIds, partition]);
  return new Map(rows.map(({ userId, ...place }) => [userId, place]));
}

export function isBelow({ generation, offset }: LogPlace, place: LogPlace): boolean {
  return generation === place.generation ? offset < place.offset : generation < place.generation;
}
