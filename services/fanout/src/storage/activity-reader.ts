import { timestampOf } from '@tideline/shared/activity-id';
import { type Database, prepared } from '@tideline/shared/database';
import type { TombstoneEntry } from '@tideline/shared/registers';

/** What decides who gets an activity, as it is stored. */
export interface StoredContent {
  id: string;
  actorId: string;
  /** null: everybody. */
  to: string[] | null;
  /** To whom its object belongs; null: nobody, or what is done does not concern an owner. */
  objectOwnerId: string | null;
  /** Nothing of its delivery is missing: its author changed between push and pull after it. */
  isDelivered: boolean;
}

const contentsSql = `
  select id, a.actor_id as "actorId", a.audience as "to", a.object_owner_id as "objectOwnerId",
    coalesce(
      (coalesce(r.replayed_generation, a.log_generation), coalesce(r.replayed_offset, a.log_offset))
        <= (author.mode_generation, author.mode_offset), false) as "isDelivered"
  from activities a
  left join authors author on author.author_id = a.actor_id
  left join replayed_records r using (log_generation, log_partition, log_offset, id)
  where a.id = any($1::uuid[]) and a.time between $2 and $3`;

/** Those of these activities that exist. */
export async function readContents(database: Database, ids: readonly string[]): Promise<StoredContent[]> {
  if (ids.length === 0) {
    return [];
  }
  const times = ids.map(timestampOf);
  // The time bounds keep the look-up to the chunks that can hold the ids.
  return database.any<StoredContent>(
    prepared('read-contents', contentsSql, [ids, new Date(Math.min(...times)), new Date(Math.max(...times))]),
  );
}

const newestSql = `
  select id from activities
  where actor_id = $1 and (audience is null or $2::text = any(audience) or $2 is null)
    and not exists (select from tombstones t where t.activity_id = id and t.author_id = actor_id and $2 is not null)
  order by time desc, id desc limit $3`;

/** The newest ids of an author that `readerId` may see, newest first. */
export async function newestVisibleIds(
  database: Database,
  authorId: string,
  readerId: string,
  limit: number,
): Promise<string[]> {
  return newestIds(database, authorId, readerId, limit);
}

/** The newest ids of an author, whoever may see them and deleted ones too, newest first. */
export async function newestAnyIds(database: Database, authorId: string, limit: number): Promise<string[]> {
  return newestIds(database, authorId, null, limit);
}

async function newestIds(
  database: Database,
  authorId: string,
  readerId: string | null,
  limit: number,
): Promise<string[]> {
  const rows = await database.any<{ id: string }>(prepared('read-newest-ids', newestSql, [authorId, readerId, limit]));
  return rows.map(({ id }) => id);
}

/** Notes that nothing in Redis holds these activities any more. */
export async function markPurged(database: Database, purged: readonly TombstoneEntry[]): Promise<void> {
  if (purged.length === 0) {
    return;
  }
  await database.none(
    `update tombstones t set purged_at = now()
     from unnest($1::uuid[], $2::text[]) as p (activity_id, author_id)
     where t.activity_id = p.activity_id and t.author_id = p.author_id and t.purged_at is null`,
    [purged.map(({ activityId }) => activityId), purged.map(({ authorId }) => authorId)],
  );
}
