import type pg from 'pg';
import type { TimeRange } from '../rebuild/whole-steps.js';
import { resultsKept } from './control-events.js';
import { type Counts, type Erasure, inTransaction, isBeforeEnd, noteStep, type Progress } from './erasure.js';

/** A chunk of activities ($2 to $3) of records before the end ($4, $5); $1 is the user. */
const inChunk = `time >= $2 and time < $3 and ${isBeforeEnd(4)}`;

const goneColumns = `
  id, actor_id as "actorId", object_owner_id as "ownerId", audience, accepted_at > now() - interval '${resultsKept}' as "isRecent",
  log_generation as generation, log_partition as partition, log_offset as offset`;

interface GoneRow {
  id: string;
  actorId: string;
  ownerId: string | null;
  audience: string[] | null;
  isRecent: boolean;
  generation: number;
  partition: number;
  offset: string;
}

const ownSql = `delete from activities where ${inChunk} and actor_id = $1 returning ${goneColumns}`;

const isAbout = `(object_type = 'user' and object_id = $1) or (target_type is not distinct from 'user' and target_id = $1)`;
const ofUser = (type: string, id: string) => `(${type}, ${id}) in (select * from unnest($6::text[], $7::text[]))`;

const othersSql = `
  select id, time, actor_id as "actorId", ${isAbout} as "isAbout",
    object_owner_id is not distinct from $1 or ${ofUser('object_type', 'object_id')} as "isOwned",
    target_title is not null and ${ofUser('target_type', 'target_id')} as "isTargetOwned"
  from activities
  where ${inChunk} and actor_id <> $1 and (
    $1 = any(audience) or object_owner_id = $1 or ${isAbout}
    or (object_title is not null and ${ofUser('object_type', 'object_id')})
    or (target_title is not null and ${ofUser('target_type', 'target_id')}))`;

interface OtherRow {
  id: string;
  time: Date;
  actorId: string;
  /** The user is its object or its target. */
  isAbout: boolean;
  isOwned: boolean;
  isTargetOwned: boolean;
}

// One at a time and by their keys: of a compressed chunk only what they are in is then decompressed.
const byKey = 'time = $1 and id = $2 and actor_id = $3';
const removeSql = `delete from activities where ${byKey} returning ${goneColumns}`;
const changeSql = `
  update activities
  set audience = array_remove(audience, $4), object_owner_id = nullif(object_owner_id, $4),
    object_title = case when $5 then null else object_title end, target_title = case when $6 then null else target_title end
  where ${byKey}`;

/**
 * In one transaction the activities of a chunk: what the user did and what is about the user is gone; what others did stays,
 * without the user among those whom it is for, and without whose its object was and what that was called.
 */
export async function eraseContents(
  client: pg.Client,
  erasure: Erasure,
  { end, objects }: Progress,
  { from, to }: TimeRange,
  step: string,
): Promise<void> {
  await inTransaction(client, async () => {
    const values = [erasure.userId, from, to, end?.generation, end?.ends];
    const { rows: gone } = await client.query<GoneRow>(ownSql, values);
    const { rows: others } = await client.query<OtherRow>(othersSql, [...values, objects.types, objects.ids]);
    for (const { time, id, actorId, isAbout: isRemoved, isOwned, isTargetOwned } of others) {
      if (isRemoved) {
        gone.push(...(await client.query<GoneRow>(removeSql, [time, id, actorId])).rows);
      } else {
        await client.query(changeSql, [time, id, actorId, erasure.userId, isOwned, isTargetOwned]);
      }
    }
    const changed = others.filter((row) => !row.isAbout).length;
    const counts = {
      ...(await takeWhatIsAbout(client, gone)),
      activities: gone.length,
      'activities of others': changed,
    };
    await noteStep(client, erasure, step, {
      counts,
      recentIds: gone.filter(({ isRecent }) => isRecent).map(({ id }) => id),
    });
  });
}

const pairs = 'unnest($1::text[], $2::uuid[]) as told (user_id, id)';

/** Notifications of what is gone, and what users marked of them. */
async function takeWhatIsAbout(client: pg.Client, gone: readonly GoneRow[]): Promise<Counts> {
  const told = gone.flatMap(({ id, ownerId, audience }) =>
    (audience ?? (ownerId === null ? [] : [ownerId])).map((userId) => ({ userId, id })),
  );
  const values = [told.map(({ userId }) => userId), told.map(({ id }) => id)];
  const notifications = await client.query(
    `delete from notifications n using ${pairs} where n.user_id = told.user_id and n.id = told.id`,
    values,
  );
  const marks = await client.query(
    `delete from marked_notifications m using ${pairs} where m.user_id = told.user_id and m.notification_id = told.id`,
    values,
  );
  const notes = await client.query(
    'delete from contents_since_refresh c using unnest($1::text[], $2::uuid[]) as g (actor, id) where c.author_id = g.actor and c.id = g.id',
    [gone.map(({ actorId }) => actorId), gone.map(({ id }) => id)],
  );
  const replays = await client.query(
    `delete from replayed_records r using unnest($1::integer[], $2::integer[], $3::bigint[]) as g (generation, part, place)
     where (r.log_generation, r.log_partition, r.log_offset) = (g.generation, g.part, g.place)`,
    [
      gone.map(({ generation }) => generation),
      gone.map(({ partition }) => partition),
      gone.map(({ offset }) => offset),
    ],
  );
  return {
    notifications: notifications.rowCount ?? 0,
    marked_notifications: marks.rowCount ?? 0,
    contents_since_refresh: notes.rowCount ?? 0,
    replayed_records: replays.rowCount ?? 0,
  };
}
