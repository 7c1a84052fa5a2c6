import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import { authorWeeks, homeWeeks } from './feed-pages.js';
import type { SqlScope } from './sql-scope.js';
import { inWindow, walk } from './time-windows.js';

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

const ownContentsSql = `
  select ${contentColumns}
  from activities a
  where a.actor_id = $<author> and ${inWindow.older}
    and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
  order by a.time desc, a.id desc
  limit $<limit>`;

// Who posts something new describes it in the same request: that is one deed, the post.
const ownControlsSql = `
  select distinct on (c.id)
    c.id, c.actor_id as "actorId", c.verb, c.object_type as "objectType", c.object_id as "objectId",
    null as "targetType", null as "targetId", null as "targetTitle",
    case when c.object_type = 'user' and c.verb <> 'update' then c.object_id end as "concernedId"
  from control_activities c
  where c.actor_id = $<author> and c.id < $<before> and (${changedSomething})
    and not (c.verb = 'update' and is_part_of_post(c.actor_id, c.id))
  order by c.id desc
  limit $<limit>`;

/** All that a user did, below `before`, newest first. */
export async function ownDeeds(sql: SqlScope, author: string, before: string, limit: number): Promise<Deed[]> {
  const contents = await walk(
    { direction: 'older', from: before, limit },
    authorWeeks(sql, { author }),
    (window, rest) => sql.any<Deed>(ownContentsSql, { author, ...window, limit: rest }),
  );
  const controls = await sql.any<Deed>(ownControlsSql, { author, before, limit });
  return [...contents, ...controls].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
}

const friendsSql = `
  select ${contentColumns}
  from activities a
  where a.actor_id in (select followee_id from follows where follower_id = $<reader> and active)
    and ${visibleToReader}
    and ${notHidden('a.actor_id')}
    and ${inWindow.older}
  order by a.time desc, a.id desc
  limit $<limit>`;

/** What those whom a user follows did, as far as that user may see it, below `before`, newest first. */
export async function friendsDeeds(sql: SqlScope, reader: string, before: string, limit: number): Promise<Deed[]> {
  return walk({ direction: 'older', from: before, limit }, homeWeeks(sql, { reader }), (window, rest) =>
    sql.any<Deed>(friendsSql, { reader, ...window, limit: rest }),
  );
}
