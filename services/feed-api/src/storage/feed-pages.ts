import type { Activity } from '@tideline/shared/activity';
import { highestActivityId, timestampOf } from '@tideline/shared/activity-id';
import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

/**
 * Pages from TimescaleDB: below the floor, for missing lists, and to build lists. They walk in time windows that
 * double, so that a page of a busy feed touches one chunk and one of a quiet feed does not plan over all of them at
 * each step (design, section 6).
 */

const firstWindowMs = 7 * 86_400_000;
/** After so many windows, 63 weeks in all, the last one has no lower bound. */
const boundedWindowsMax = 6;

/** A part of a feed: up to `limit` of its activities from an id on, which is not among them, the nearest first. */
export interface Stretch {
  direction: 'older' | 'newer';
  from: string;
  limit: number;
}

interface TimeWindow {
  from: string;
  upper: Date;
  lower: Date;
}

/** Reads up to `limit` rows of one window, the nearest first. */
type WindowReader<Row> = (window: TimeWindow, limit: number) => Promise<Row[]>;

async function walk<Row>({ direction, from, limit }: Stretch, read: WindowReader<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  // Nothing is more than the allowed skew ahead of now.
  const newestMs = Date.now() + firstWindowMs;
  const endMs = direction === 'older' ? 0 : newestMs;
  // The cursor of a first page is no time.
  let nearMs = from === highestActivityId ? newestMs : timestampOf(from);
  for (let step = 0, lengthMs = firstWindowMs; rows.length < limit; step += 1, lengthMs *= 2) {
    const reachMs = step === boundedWindowsMax ? Number.POSITIVE_INFINITY : lengthMs;
    const farMs = direction === 'older' ? Math.max(endMs, nearMs - reachMs) : Math.min(endMs, nearMs + reachMs);
    const window = { from, lower: new Date(Math.min(nearMs, farMs)), upper: new Date(Math.max(nearMs, farMs)) };
    rows.push(...(await read(window, limit - rows.length)));
    if (farMs === endMs) {
      break;
    }
    nearMs = farMs;
  }
  return rows;
}

/** Windows meet without overlapping, so an activity is in one of them only. */
const inWindow = {
  older: 'a.time <= $<upper> and a.time > $<lower> and a.id < $<from>',
  newer: 'a.time >= $<lower> and a.time < $<upper> and a.id > $<from>',
} as const;
const order = { older: 'desc', newer: 'asc' } as const;

/**
 * Pages leave out who is hidden from the reader; lists do not: mutes and blocks are checked when a list is read, so that
 * what was hidden is there when they end.
 */
function homeSql(columns: string, direction: Stretch['direction'], condition: string): string {
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
      where a.actor_id = source.author_id and ${inWindow[direction]} and ${visibleToReader}
      order by a.time ${order[direction]}, a.id ${order[direction]}
      limit $<limit>
    ) page
    where ${condition}
    order by page.id ${order[direction]}
    limit $<limit>`;
}

const homeActivitiesSql = {
  older: homeSql(activityColumns, 'older', notHidden('source.author_id')),
  newer: homeSql(activityColumns, 'newer', notHidden('source.author_id')),
};
const homeIdsSql = homeSql('a.id', 'older', 'true');

/** Activities of a home feed: what the naive pull returns. */
export async function homeActivities(sql: SqlScope, reader: string, stretch: Stretch): Promise<Activity[]> {
  const rows = await walk(stretch, (window, limit) =>
    sql.any<ActivityRow>(homeActivitiesSql[stretch.direction], { reader, ...window, limit }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids of a home feed with what is hidden at present, newest first: what an inbox holds. */
export async function homeIds(sql: SqlScope, reader: string, limit: number): Promise<string[]> {
  const rows = await walk(newest(limit), (window, rest) =>
    sql.any<{ id: string }>(homeIdsSql, { reader, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}

function authorSql(columns: string, condition: string, direction: Stretch['direction']): string {
  return `
    select ${columns}
    from activities a
    where a.actor_id = $<author> and a.audience is null and ${inWindow[direction]}
      and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
      and ${condition}
    order by a.time ${order[direction]}, a.id ${order[direction]}
    limit $<limit>`;
}

const authorActivitiesSql = {
  older: authorSql(activityColumns, notHidden('$<author>'), 'older'),
  newer: authorSql(activityColumns, notHidden('$<author>'), 'newer'),
};
const authorIdsSql = authorSql('a.id', 'true', 'older');

/** Public activities of an author that the reader may see. */
export async function authorActivities(
  sql: SqlScope,
  author: string,
  reader: string,
  stretch: Stretch,
): Promise<Activity[]> {
  const rows = await walk(stretch, (window, limit) =>
    sql.any<ActivityRow>(authorActivitiesSql[stretch.direction], { author, reader, ...window, limit }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids that an author did in public, newest first. */
export async function authorIds(sql: SqlScope, author: string, limit: number): Promise<string[]> {
  const rows = await walk(newest(limit), (window, rest) =>
    sql.any<{ id: string }>(authorIdsSql, { author, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}

function newest(limit: number): Stretch {
  return { direction: 'older', from: highestActivityId, limit };
}
