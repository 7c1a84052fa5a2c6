import type { Queryable } from '../database.js';
import { naiveNotifications } from '../naive-notifications.js';
import { naivePull, notHidden } from '../naive-pull.js';

/** What feeds ought to hold, as plain queries over one snapshot of the database. */

export interface TrueItem {
  id: string;
  authorId: string;
}

const home = naivePull(
  'a.id, a.actor_id as "authorId"',
  `a.time >= activity_time($<floor>) and a.id >= $<floor>
      and (a.audience is not null or not exists (
        select from unnest($<authors>::text[], $<floors>::uuid[]) as merged (author_id, floor)
        where merged.author_id = a.actor_id and a.id < merged.floor))`,
);

/**
 * The home feed down to `floor`, newest first; of authors in `floors` what they did in public only down to the floor
 * given there, because below it a page does not come from lists.
 */
export async function homeDownTo(
  snapshot: Queryable,
  reader: string,
  floor: string,
  floors: ReadonlyMap<string, string>,
): Promise<TrueItem[]> {
  return snapshot.any<TrueItem>(home, { reader, floor, authors: [...floors.keys()], floors: [...floors.values()] });
}

const notifications = naiveNotifications('n.id, n.actor_id as "authorId"', 'n.id >= $<floor>');

/** What concerns the reader, down to `floor`, newest first, without content before the horizon. */
export async function notificationsDownTo(
  snapshot: Queryable,
  reader: string,
  floor: string,
  horizon: string,
): Promise<TrueItem[]> {
  return snapshot.any<TrueItem>(notifications, { reader, floor, horizon });
}

/** Content that is older is gone, or about to be. */
export async function readHorizon(snapshot: Queryable): Promise<string> {
  const { id } = await snapshot.one<{ id: string }>('select first_activity_id(horizon) as id from retention');
  return id;
}

const among = 'a.id = any($<ids>::uuid[]) and a.time between activity_time($<lowest>) and activity_time($<highest>)';
const homeAmong = naivePull('a.id', among);

/** Those of the ids that the home feed has. */
export async function idsInHome(snapshot: Queryable, reader: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) {
    return new Set();
  }
  const rows = await snapshot.any<{ id: string }>(homeAmong, { reader, ...bounds(ids) });
  return new Set(rows.map(({ id }) => id));
}

const outbox = `
  select a.id, a.actor_id as "authorId"
  from activities a
  where a.actor_id = $<author> and a.audience is null and a.time >= activity_time($<floor>) and a.id >= $<floor>
    and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)`;

/** What an author did in public, down to `floor`. */
export async function outboxDownTo(snapshot: Queryable, author: string, floor: string): Promise<TrueItem[]> {
  return snapshot.any<TrueItem>(outbox, { author, floor });
}

/** Why an activity that is in a list may not be in the feed. */
export interface Account extends TrueItem {
  unfollowed: boolean;
  hidden: boolean;
  /** Deleted, and fanout is still taking it out of lists. */
  beingDeleted: boolean;
}

const accounts = `
  select a.id, a.actor_id as "authorId",
    exists (
      select from follows f where f.follower_id = $<reader> and f.followee_id = a.actor_id and not f.active) as unfollowed,
    not (${notHidden('a.actor_id')}) as hidden,
    exists (
      select from tombstones t
      where t.activity_id = a.id and t.author_id = a.actor_id and t.purged_at is null) as "beingDeleted"
  from (
    select a.id, a.actor_id from activities a where ${among}
    union
    select c.id, c.actor_id from control_activities c where c.id = any($<ids>::uuid[]) and c.verb = 'follow'
  ) a`;

/** Also of follows. By id; none of what the database does not have. */
export async function accountFor(
  snapshot: Queryable,
  reader: string,
  ids: readonly string[],
): Promise<Map<string, Account>> {
  if (ids.length === 0) {
    return new Map();
  }
  const rows = await snapshot.any<Account>(accounts, { reader, ...bounds(ids) });
  return new Map(rows.map((row) => [row.id, row]));
}

const standings = `
  select author_id as "authorId", concat_ws(' ',
    (select concat_ws(',', f.active, f.log_generation, f.log_offset)
     from follows f where f.follower_id = $<reader> and f.followee_id = author_id),
    (select string_agg(concat_ws(',', r.user_id, r.kind, r.active, r.log_generation, r.log_offset), ' '
                       order by r.user_id, r.kind)
     from relations r
     where (r.user_id = $<reader> and r.other_id = author_id) or (r.user_id = author_id and r.other_id = $<reader>))
    ) as standing
  from unnest($<authors>::text[]) as asked (author_id)`;

/** How the reader stands to each author, follow, mutes and blocks, with the versions: text that only changes with them. */
export async function standingsOf(
  snapshot: Queryable,
  reader: string,
  authors: readonly string[],
): Promise<Map<string, string>> {
  if (authors.length === 0) {
    return new Map();
  }
  const rows = await snapshot.any<{ authorId: string; standing: string }>(standings, { reader, authors });
  return new Map(rows.map(({ authorId, standing }) => [authorId, standing]));
}

/** TimescaleDB looks only at the chunks between them. */
function bounds(ids: readonly string[]): { ids: readonly string[]; lowest: string; highest: string } {
  const [first = ''] = ids;
  return {
    ids,
    lowest: ids.reduce((lowest, id) => (id < lowest ? id : lowest), first),
    highest: ids.reduce((highest, id) => (id > highest ? id : highest), first),
  };
}
