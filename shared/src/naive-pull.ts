/**
 * The home feed as one plain query over what the database knows. Every other way to make a feed is held against this one
 * (I5), so it stays as simple as it is, and shares no plan with them.
 */

/** I9 for the activity `a` and the reader `${reader}`: who may see it, whoever follows whom, and not deleted. */
export const visibleToReader = `
  (a.audience is null or a.actor_id = $<reader> or $<reader> = any(a.audience))
  and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)`;

/** I9 for an author `author_id`: neither muted by the reader nor blocked either way. */
export function notHidden(authorId: string): string {
  return `not exists (
    select from relations r
    where r.active and (
      (r.user_id = $<reader> and r.other_id = ${authorId})
      or (r.user_id = ${authorId} and r.other_id = $<reader> and r.kind = 'block')))`;
}

/** The query of `$<reader>`'s home feed, newest first: columns of `activities a`, and which part of the feed. */
export function naivePull(columns: string, part: string): string {
  return `
    select ${columns}
    from activities a
    where (a.actor_id = $<reader> or a.actor_id in (
        select followee_id from follows where follower_id = $<reader> and active))
      and ${visibleToReader}
      and ${notHidden('a.actor_id')}
      and ${part}
    order by a.time desc, a.id desc`;
}
