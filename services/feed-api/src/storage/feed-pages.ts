import type { Activity } from '@tideline/shared/activity';
import { highestActivityId, timestampOf } from '@tideline/shared/activity-id';
import { type ActivityRow, activityColumns, activityFromRow, notHidden, visibleToReader } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

/**
 * Pages from TimescaleDB: below the floor, for missing lists, and to build lists. They walk back in time windows that
 * double, so that a page of a busy feed touches one chunk and one of a quiet feed does not plan over all of them at
 * each step (design, section 6).
 */

const firstWindowMs = 7 * 86_400_000;
/** After so many windows, 63 weeks in all, the last one has no lower bound. */
const boundedWindowsMax = 6;

/** Reads up to `limit` rows of one window, newest first. */
type WindowReader<Row> = (window: TimeWindow, limit: number) => Promise<Row[]>;

interface TimeWindow {
  before: string;
  upper: Date;
  lower: Date;
}

async function walkBack<Row>(before: string, limit: number, read: WindowReader<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  // The cursor of a first page is no time; nothing is more than the allowed skew ahead of now.
  let upperMs = before === highestActivityId ? Date.now() + firstWindowMs : timestampOf(before);
  for (let step = 0, lengthMs = firstWindowMs; rows.length < limit; step += 1, lengthMs *= 2) {
    const unbounded = step === boundedWindowsMax;
    const lowerMs = unbounded ? 0 : Math.max(0, upperMs - lengthMs);
    const window = { before, upper: new Date(upperMs), lower: new Date(lowerMs) };
    rows.push(...(await read(window, limit - rows.length)));
    if (lowerMs === 0) {
      break;
    }
    upperMs = lowerMs;
  }
  return rows;
}

// Windows are (lower, upper], so an activity is in one of them only.
const inWindow = 'a.time <= $<upper> and a.time > $<lower> and a.id < $<before>';

function homeSql(columns: string): string {
  return `
    select page.*
    from (
      select $<reader> as author_id
      union
      select followee_id from follows where follower_id = $<reader> and active
    ) source
    cross join lateral (
      select ${columns}
      from activities a
      where a.actor_id = source.author_id and ${inWindow} and ${visibleToReader}
      order by a.time desc, a.id desc
      limit $<limit>
    ) page
    where ${notHidden('source.author_id')}
    order by page.id desc
    limit $<limit>`;
}

const homeActivitiesSql = homeSql(activityColumns);
const homeIdsSql = homeSql('a.id');

/** Activities of a home feed below `before`, newest first: what the naive pull returns. */
export async function homePage(sql: SqlScope, reader: string, before: string, limit: number): Promise<Activity[]> {
  const rows = await walkBack(before, limit, (window, rest) =>
    sql.any<ActivityRow>(homeActivitiesSql, { reader, ...window, limit: rest }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids of a home feed, newest first. */
export async function homeIds(sql: SqlScope, reader: string, limit: number): Promise<string[]> {
  const rows = await walkBack(highestActivityId, limit, (window, rest) =>
    sql.any<{ id: string }>(homeIdsSql, { reader, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}

function authorSql(columns: string, condition: string): string {
  return `
    select ${columns}
    from activities a
    where a.actor_id = $<author> and a.audience is null and ${inWindow}
      and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
      and ${condition}
    order by a.time desc, a.id desc
    limit $<limit>`;
}

const authorActivitiesSql = authorSql(activityColumns, notHidden('$<author>'));
const authorIdsSql = authorSql('a.id', 'true');

/** Public activities of an author below `before` that the reader may see, newest first. */
export async function authorPage(
  sql: SqlScope,
  author: string,
  reader: string,
  before: string,
  limit: number,
): Promise<Activity[]> {
  const rows = await walkBack(before, limit, (window, rest) =>
    sql.any<ActivityRow>(authorActivitiesSql, { author, reader, ...window, limit: rest }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids that an author did in public, newest first. */
export async function authorIds(sql: SqlScope, author: string, limit: number): Promise<string[]> {
  const rows = await walkBack(highestActivityId, limit, (window, rest) =>
    sql.any<{ id: string }>(authorIdsSql, { author, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}
