import { activityLimits } from '@tideline/shared/activity';
import { highestActivityId, timestampOf } from '@tideline/shared/activity-id';
import { weekMs, weekOf, weekOfActivity } from '@tideline/shared/activity-weeks';
import type { SqlScope } from './sql-scope.js';

/**
 * How pages are read from TimescaleDB. Planning a query costs with every chunk that it may touch, so a page is read in
 * windows of whole weeks, which are chunks: first those where the page begins, and from there on only where its authors
 * did something, which `author_weeks` tells without touching a chunk (docs/decisions/0015-chunks-and-retention.md).
 */

/** Read before asking where to look: a page of a busy feed ends in them. */
const firstWeeks = 2;
/** What one look-up tells of. */
const weeksPerLookupMax = 32;
/** So many idle weeks cost less than another query. */
const idleWeeksMax = 4;
/** Bounds what one query plans. */
const weeksPerWindowMax = 64;

/** A part of a feed: up to `limit` of its activities from an id on, which is not among them, the nearest first. */
export interface Stretch {
  direction: 'older' | 'newer';
  from: string;
  limit: number;
}

/** Whole weeks. */
export interface Weeks {
  first: number;
  last: number;
}

/** Weeks from `nearest` on in which there may be something, the nearest first, about `count`; none: there are no more. */
export type ActiveWeeks = (direction: Stretch['direction'], nearest: number, count: number) => Promise<number[]>;

/** All of a window is from `lower` to `upper`, both included. */
export interface TimeWindow extends Weeks {
  from: string;
  lower: Date;
  upper: Date;
}

/** Reads up to `limit` rows of one window, the nearest first. */
type WindowReader<Row> = (window: TimeWindow, limit: number) => Promise<Row[]>;

/** Reads a stretch window by window. */
export async function walk<Row>(
  { direction, from, limit }: Stretch,
  activeWeeks: ActiveWeeks,
  read: WindowReader<Row>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const weeks of windowsFrom(direction, from, activeWeeks, limit)) {
    rows.push(...(await read(windowOf(weeks, direction, from), limit - rows.length)));
    if (rows.length >= limit) {
      break;
    }
  }
  return rows;
}

/** From the week of an id on, all weeks in which there may be something, the nearest first. */
async function* windowsFrom(
  direction: Stretch['direction'],
  from: string,
  activeWeeks: ActiveWeeks,
  wanted: number,
): AsyncGenerator<Weeks> {
  const step = direction === 'older' ? -1 : 1;
  const begin = from === highestActivityId ? weekOf(Date.now() + activityLimits.futureSkewMaxMs) : weekOfActivity(from);
  yield weeksBetween(begin, begin + step * (firstWeeks - 1));
  yield* activeRuns(direction, begin + step * firstWeeks, activeWeeks, Math.min(wanted, weeksPerLookupMax));
}

/** From a week on, all in which there may be something, the nearest first. `count`: what one look-up asks for. */
export async function* activeRuns(
  direction: Stretch['direction'],
  begin: number,
  activeWeeks: ActiveWeeks,
  count: number,
): AsyncGenerator<Weeks> {
  for (let next = begin; ; ) {
    const weeks = await activeWeeks(direction, next, count);
    const last = weeks.at(-1);
    if (last === undefined) {
      return;
    }
    yield* runsOf(weeks);
    next = direction === 'older' ? last - 1 : last + 1;
  }
}

/** Weeks, in order or in reverse, put together where they are near each other. */
export function runsOf(weeks: readonly number[]): Weeks[] {
  const runs: Weeks[] = [];
  for (const week of weeks) {
    const run = runs.at(-1);
    const longer = run && weeksBetween(Math.min(run.first, week), Math.max(run.last, week));
    if (run && longer && isCheaper(longer, run)) {
      Object.assign(run, longer);
    } else {
      runs.push(weeksBetween(week, week));
    }
  }
  return runs;
}

/** Whether one query over the longer run costs less than two. */
function isCheaper(longer: Weeks, run: Weeks): boolean {
  const added = lengthOf(longer) - lengthOf(run);
  return added <= idleWeeksMax + 1 && lengthOf(longer) <= weeksPerWindowMax;
}

function lengthOf({ first, last }: Weeks): number {
  return last - first + 1;
}

function weeksBetween(one: number, other: number): Weeks {
  return { first: Math.min(one, other), last: Math.max(one, other) };
}

/** Of the window that the id is in, the part beyond it. */
function windowOf(weeks: Weeks, direction: Stretch['direction'], from: string): TimeWindow {
  const lowerMs = weeks.first * weekMs;
  const upperMs = (weeks.last + 1) * weekMs - 1;
  const fromMs = timestampOf(from);
  return {
    ...weeks,
    from,
    lower: new Date(direction === 'older' ? lowerMs : Math.max(lowerMs, fromMs)),
    upper: new Date(direction === 'older' ? Math.min(upperMs, fromMs) : upperMs),
  };
}

/** Windows meet without overlapping, so an activity is in one of them only. */
export const inWindow = {
  older: 'a.time between $<lower> and $<upper> and a.id < $<from> and a.id >= $<horizon>',
  newer: 'a.time between $<lower> and $<upper> and a.id > $<from> and a.id >= $<horizon>',
} as const;
export const order = { older: 'desc', newer: 'asc' } as const;

/** The newest `limit` of a feed. */
export function newest(limit: number): Stretch {
  return { direction: 'older', from: highestActivityId, limit };
}

const beyond = { older: 'w.week <= $<nearest>', newer: 'w.week >= $<nearest>' } as const;

function activeWeeksSql(sources: string, direction: Stretch['direction']): string {
  return `
    select distinct near.week
    from (${sources}) source
    cross join lateral (
      select w.week from author_weeks w
      where w.author_id = source.author_id and ${beyond[direction]}
      order by w.week ${order[direction]} limit $<count>
    ) near
    order by near.week ${order[direction]} limit $<count>`;
}

/** When those did something of whom `sources`, a query with these values, gives the `author_id`. */
export function activeWeeksOf(sources: string): (sql: SqlScope, values: object) => ActiveWeeks {
  const texts = { older: activeWeeksSql(sources, 'older'), newer: activeWeeksSql(sources, 'newer') };
  return (sql, values) => async (direction, nearest, count) => {
    const rows = await sql.any<{ week: number }>(texts[direction], { ...values, nearest, count });
    return rows.map(({ week }) => week);
  };
}
