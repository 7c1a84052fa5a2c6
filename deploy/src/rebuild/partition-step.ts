import type pg from 'pg';

/** Part of the log: of one incarnation of the topic one partition. */
export interface LogPart {
  generation: number;
  partition: number;
}

/** How many rows a step had to write, and to take away, to have a projection say what the events say. */
export interface Repairs {
  written: number;
  removed: number;
}

/**
 * What is looked at: control events of $1, $2, and of each projection the rows of that part of the log. What a correction
 * brought into a projection before fanout wrote its event is newer than all events, and stays.
 */
const ofPart = 'log_generation = $1 and log_partition = $2';
const knownPart = `log_generation = $1 and log_partition = $2 and log_offset <= (
  select max(log_offset) from control_activities where ${ofPart})`;

function sameVersion(row: string): string {
  return `c.log_generation = ${row}.log_generation and c.log_partition = ${row}.log_partition
    and c.log_offset = ${row}.log_offset`;
}

function isNewer(row: string): string {
  return `(excluded.log_generation, excluded.log_offset) > (${row}.log_generation, ${row}.log_offset)`;
}

const setVersion =
  'log_generation = excluded.log_generation, log_partition = excluded.log_partition, log_offset = excluded.log_offset';

/** By projection: rows that no event accounts for, and then what events say that is not there. */
const projections: { remove: string; write: string }[] = [
  {
    remove: `
      delete from follows f
      where ${knownPart} and not exists (
        select from control_activities c
        where ${sameVersion('f')} and c.actor_id = f.follower_id and c.object_id = f.followee_id
          and c.verb = case when f.active then 'follow' else 'unfollow' end)`,
    write: `
      insert into follows as f (follower_id, followee_id, active, changed_at, log_generation, log_partition, log_offset)
      select distinct on (actor_id, object_id)
        actor_id, object_id, verb = 'follow', accepted_at, log_generation, log_partition, log_offset
      from control_activities
      where ${ofPart} and verb in ('follow', 'unfollow')
      order by actor_id, object_id, log_offset desc
      on conflict (follower_id, followee_id) do update
        set active = excluded.active, changed_at = excluded.changed_at, ${setVersion}
        where ${isNewer('f')}`,
  },
  {
    remove: `
      delete from relations r
      where ${knownPart} and not exists (
        select from control_activities c
        where ${sameVersion('r')} and c.actor_id = r.user_id and c.object_id = r.other_id
          and c.verb = case when r.active then r.kind else 'un' || r.kind end)`,
    write: `
      insert into relations as r (user_id, other_id, kind, active, changed_at, log_generation, log_partition, log_offset)
      select distinct on (actor_id, object_id, kind)
        actor_id, object_id, kind, verb = kind, accepted_at, log_generation, log_partition, log_offset
      from control_activities cross join lateral (select regexp_replace(verb, '^un', '')) as relation (kind)
      where ${ofPart} and verb in ('mute', 'unmute', 'block', 'unblock')
      order by actor_id, object_id, kind, log_offset desc
      on conflict (user_id, other_id, kind) do update
        set active = excluded.active, changed_at = excluded.changed_at, ${setVersion}
        where ${isNewer('r')}`,
  },
  {
    // Of several deletes of one activity the first that was applied counts, which need not be the first on the log. An unfollow
    // buries the follow that it ends, until that is out of lists.
    remove: `
      delete from tombstones t
      where ${knownPart} and not exists (
        select from control_activities c
        where ${sameVersion('t')} and (
          (c.verb = 'delete' and c.object_id = t.activity_id::text and c.author_id = t.author_id)
          or (c.verb = 'unfollow' and c.actor_id = t.author_id)))`,
    // No list of the new cache epoch ever had them.
    write: `
      insert into tombstones (
        activity_id, author_id, deleted_at, purged_at, log_generation, log_partition, log_offset)
      select distinct on (object_id, author_id)
        object_id::uuid, author_id, accepted_at, now(), log_generation, log_partition, log_offset
      from control_activities
      where ${ofPart} and verb = 'delete'
      order by object_id, author_id, log_offset
      on conflict (activity_id, author_id) do nothing`,
  },
  {
    remove: `
      update users u set name = id, avatar = null, log_generation = 0, log_partition = 0, log_offset = -1
      where ${knownPart} and not exists (
        select from control_activities c
        where ${sameVersion('u')} and c.object_id = u.id and c.verb = 'update'
          and c.metadata ->> 'name' = u.name and c.metadata ->> 'avatar' is not distinct from u.avatar)`,
    // Only descriptions of users have a name; those of objects have a title.
    write: `
      insert into users as u (id, name, avatar, created_at, updated_at, log_generation, log_partition, log_offset)
      select distinct on (object_id)
        object_id, metadata ->> 'name', metadata ->> 'avatar', min(accepted_at) over (partition by object_id),
        accepted_at, log_generation, log_partition, log_offset
      from control_activities
      where ${ofPart} and verb = 'update' and metadata ? 'name'
      order by object_id, log_offset desc
      on conflict (id) do update
        set name = excluded.name, avatar = excluded.avatar, updated_at = excluded.updated_at, ${setVersion}
        where ${isNewer('u')}`,
  },
  {
    remove: `
      delete from objects o
      where ${knownPart} and not exists (
        select from control_activities c
        where ${sameVersion('o')} and c.object_type = o.type and c.object_id = o.id and c.verb = 'update'
          and (c.metadata ->> 'title', c.metadata ->> 'ownerId', c.metadata ->> 'url', c.metadata -> 'metadata')
            is not distinct from (o.title, o.owner_id, o.url, o.metadata))`,
    write: `
      insert into objects as o (
        type, id, title, owner_id, url, metadata, created_at, updated_at, log_generation, log_partition, log_offset)
      select distinct on (object_type, object_id)
        object_type, object_id, metadata ->> 'title', metadata ->> 'ownerId', metadata ->> 'url', metadata -> 'metadata',
        min(accepted_at) over (partition by object_type, object_id), accepted_at,
        log_generation, log_partition, log_offset
      from control_activities
      where ${ofPart} and verb = 'update' and not metadata ? 'name'
      order by object_type, object_id, log_offset desc
      on conflict (type, id) do update
        set title = excluded.title, owner_id = excluded.owner_id, url = excluded.url, metadata = excluded.metadata,
            created_at = least(o.created_at, excluded.created_at), updated_at = excluded.updated_at, ${setVersion}
        where ${isNewer('o')}`,
  },
];

const nameUsers = `
  insert into users (id, name, created_at, updated_at)
  select user_id, user_id, min(accepted_at), min(accepted_at)
  from (
    select actor_id as user_id, accepted_at from control_activities
    where ${ofPart} and verb in ('follow', 'unfollow', 'mute', 'unmute', 'block', 'unblock')
    union all
    select object_id, accepted_at from control_activities
    where ${ofPart} and verb in ('follow', 'unfollow', 'mute', 'unmute', 'block', 'unblock')
    union all
    select metadata ->> 'ownerId', accepted_at from control_activities
    where ${ofPart} and verb = 'update' and metadata ? 'ownerId'
  ) named
  group by user_id
  order by user_id
  on conflict do nothing`;

/**
 * Has all that is made of control events say what one part of the log says, whatever it said before. In a transaction in
 * which nothing else is written of that part: `lockPart` comes first.
 */
export async function rebuildPart(client: pg.Client, { generation, partition }: LogPart): Promise<Repairs> {
  const part = [generation, partition];
  const repairs = { written: 0, removed: 0 };
  for (const { remove, write } of projections) {
    repairs.removed += (await client.query(remove, part)).rowCount ?? 0;
    repairs.written += (await client.query(write, part)).rowCount ?? 0;
  }
  repairs.written += (await client.query(nameUsers, part)).rowCount ?? 0;
  return repairs;
}
