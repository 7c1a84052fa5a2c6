import type { Activity } from '@tideline/shared/activity';
import { lowestActivityId } from '@tideline/shared/activity-id';
import { naivePull } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

/** What the view keeps of each reader. */
const keptMax = 100;

/**
 * Candidates below `$<before>`, the newest first: of the reader's part of the view, and of what those it follows now did
 * since the refresh. `floor`: from there on both are complete. No row where the view says nothing of the reader, or does
 * not know yet whom it follows.
 */
const candidatesSql = `
  select
    coalesce(
      (select id from materialized_home where reader_id = $<reader> and id > '${lowestActivityId}'
       order by id desc offset ${keptMax - 1} limit 1),
      state.complete_from) as floor,
    array(
      select id from materialized_home
      where reader_id = $<reader> and id < $<before> and id > '${lowestActivityId}' order by id desc limit $<count>) as kept,
    array(
      select id from contents_since_refresh
      where (author_id = $<reader> or author_id in (
          select followee_id from follows where follower_id = $<reader> and active))
        and id < $<before>
      order by id desc limit $<count>) as since
  from materialized_home_state state
  where state.refreshed_at is not null
    and exists (select from materialized_home where reader_id = $<reader> and id = '${lowestActivityId}')
    and not exists (
      select from follows_since_refresh n join follows f using (follower_id, followee_id)
      where n.follower_id = $<reader> and f.active)`;

interface CandidatesRow {
  floor: string;
  kept: string[];
  since: string[];
}

/** Of candidates those that belong in the feed: the naive pull decides, as it stands now. */
const amongSql = naivePull(
  activityColumns,
  `a.id = any($<ids>::uuid[]) and a.time between activity_time($<lowest>) and activity_time($<highest>)
      and a.id >= $<horizon>`,
);

/** A part of a home feed, newest first, and from where on it is complete. */
export interface MaterializedPart {
  activities: Activity[];
  completeDownTo: string;
  /** Whether there may be more of it below. */
  goesOn: boolean;
}

/** Up to `count` candidates of each kind below an id; undefined where the view cannot be used for this reader. */
export async function materializedPart(
  sql: SqlScope,
  reader: string,
  before: string,
  count: number,
): Promise<MaterializedPart | undefined> {
  const [row] = await sql.any<CandidatesRow>(candidatesSql, { reader, before, count });
  if (row === undefined) {
    return undefined;
  }
  const bounds = [row.kept, row.since].flatMap((ids) => (ids.length < count ? [] : (ids.at(-1) ?? [])));
  const reached = [row.floor, ...bounds].reduce((highest, id) => (id > highest ? id : highest));
  const completeDownTo = reached < before ? reached : before;
  const ids = [...new Set([...row.kept, ...row.since])].filter((id) => id >= completeDownTo).sort();
  const [lowest] = ids;
  const rows =
    lowest === undefined ? [] : await sql.any<ActivityRow>(amongSql, { reader, ids, lowest, highest: ids.at(-1) });
  return { activities: rows.map(activityFromRow), completeDownTo, goesOn: completeDownTo > row.floor };
}
