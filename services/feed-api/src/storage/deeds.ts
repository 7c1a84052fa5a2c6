import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import type { SqlScope } from './sql-scope.js';

/** What somebody did, content or not, as much of it as `/feed/my` and `/feed/friends` show. */
export interface Deed {
  id: string;
  actorId: string;
  verb: string;
  objectType: string;
  objectId: string;
  targetType: string | null;
  targetId: string | null;
  targetTitle: string | null;
  /** Whom it concerns: who was followed, or to whom the object belongs. */
  concernedId: string | null;
}

const contentColumns = `
  a.id, a.actor_id as "actorId", a.verb, a.object_type as "objectType", a.object_id as "objectId",
  a.target_type as "targetType", a.target_id as "targetId", a.target_title as "targetTitle",
  a.object_owner_id as "concernedId"`;

const belowInTime = 'a.time <= activity_time($<before>) and a.id < $<before>';

const pairVerbs = `('follow', 'unfollow', 'mute', 'unmute', 'block', 'unblock')`;

/** What a verb of a pair begins or ends: of mute and unmute, mute. */
function begun(verb: string): string {
  return `regexp_replace(${verb}, '^un', '')`;
}

// A follow counts as a deed where it changed something: the one before it, of the same two, was none. So do mutes and
// blocks. Several copies of a record are one deed.
const changedSomething = `
  c.verb not in ${pairVerbs} or c.verb <> coalesce((
    select earlier.verb
    from control_activities earlier
    where earlier.actor_id = c.actor_id and earlier.object_id = c.object_id
      and earlier.verb in ${pairVerbs} and ${begun('earlier.verb')} = ${begun('c.verb')}
      and (earlier.log_generation, earlier.log_offset) < (c.log_generation, c.log_offset)
    order by earlier.log_generation desc, earlier.log_offset desc
    limit 1), 'un' || ${begun('c.verb')})`;

// Who posts something new describes it in the same request: that is one deed, the post. A request that was repeated left
// several copies of the description, of which one belongs to the post.
const partOfPost = `
  c.verb = 'update' and exists (
    select
    from control_activities copy
    join activities a on a.actor_id = copy.actor_id and a.request_id = copy.request_id
      and a.object_type = copy.object_type and a.object_id = copy.object_id
    where copy.actor_id = c.actor_id and copy.id = c.id
      and a.time between activity_time(c.id) - interval '1 minute' and activity_time(c.id) + interval '1 minute')`;

const ownSql = `
  (
    select ${contentColumns}
    from activities a
    where a.actor_id = $<reader> and ${belowInTime}
      and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
    order by a.time desc, a.id desc
    limit $<limit>
  )
  union all
  (
    select distinct on (c.id)
      c.id, c.actor_id, c.verb, c.object_type, c.object_id, null, null, null,
      case when c.object_type = 'user' and c.verb <> 'update' then c.object_id end
    from control_activities c
    where c.actor_id = $<reader> and c.id < $<before> and (${changedSomething}) and not (${partOfPost})
    order by c.id desc
    limit $<limit>
  )
  order by id desc
  limit $<limit>`;

/** All that a user did, below `before`, newest first. */
export async function ownDeeds(sql: SqlScope, reader: string, before: string, limit: number): Promise<Deed[]> {
  return sql.any<Deed>(ownSql, { reader, before, limit });
}

const friendsSql = `
  select ${contentColumns}
  from activities a
  where a.actor_id in (select followee_id from follows where follower_id = $<reader> and active)
    and ${visibleToReader}
    and ${notHidden('a.actor_id')}
    and ${belowInTime}
  order by a.time desc, a.id desc
  limit $<limit>`;

/** What those whom a user follows did, as far as that user may see it, below `before`, newest first. */
export async function friendsDeeds(sql: SqlScope, reader: string, before: string, limit: number): Promise<Deed[]> {
  return sql.any<Deed>(friendsSql, { reader, before, limit });
}
