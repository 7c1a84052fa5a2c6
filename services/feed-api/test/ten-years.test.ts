import { activityIdMinter, highestActivityId, lowestIdFrom } from '@tideline/shared/activity-id';
import { aggregationDefault, parseAggregationRules } from '@tideline/shared/aggregation-rules';
import { type Database, openDatabase } from '@tideline/shared/database';
import { createLogger } from '@tideline/shared/logger';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activityBodies } from '../src/storage/activity-store.js';
import { friendsDeeds, ownDeeds } from '../src/storage/deeds.js';
import { authorActivities, homeActivities, homeWeeks } from '../src/storage/feed-pages.js';
import { groupHeads } from '../src/storage/group-heads.js';
import { homeBetweenSql, pullHome } from '../src/storage/naive-pull.js';
import { SqlScope } from '../src/storage/sql-scope.js';
import type { Stretch } from '../src/storage/time-windows.js';

/**
 * Ten years of history, one chunk a week: what a page plans and reads is bounded by what it shows, not by how long ago its
 * authors did something. Counted in statements and chunks, because time on a shared machine says nothing.
 */

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
const weeks = 521;
const endMs = Date.now() - 60_000;
const pageSize = 20;

/** Who did something when. The weekly author makes every chunk; nobody ever did anything. */
const history: Record<string, number[]> = {
  weekly: times(weeks, weekMs),
  yearly: times(10, 365 * dayMs),
  dormant: times(30, dayMs, 3_500 * dayMs),
};
const idleAuthors = Array.from({ length: 100 }, (_, i) => `nobody-${i}`);
const followees: Record<string, string[]> = {
  'of-weekly': ['weekly'],
  'of-yearly': ['yearly'],
  'of-dormant': ['dormant'],
  'of-nobody': idleAuthors,
  'of-all': [...Object.keys(history), ...idleAuthors],
};

/** Everything is kept. */
const horizon = { ms: 0, id: lowestIdFrom(0) };
let platform: Platform;
let database: Database;
/** Newest first. */
const idsOf = new Map<string, string[]>();

beforeAll(async () => {
  platform = await startPlatform({ fanout: false });
  database = openDatabase({
    url: platform.settings.databaseUrl,
    applicationName: 'ten-years-test',
    role: 'tideline_feed_api',
    poolSize: 2,
    logger: createLogger('test', 'silent'),
  });
  await writeHistory();
}, 120_000);
afterAll(async () => {
  await database.$pool.end();
  await platform.stop();
});

function times(count: number, everyMs: number, sinceMs = 0): number[] {
  return Array.from({ length: count }, (_, i) => endMs - sinceMs - i * everyMs);
}

/** As fanout would have written it, in one go. */
async function writeHistory(): Promise<void> {
  const mint = activityIdMinter();
  for (const [author, at] of Object.entries(history)) {
    idsOf.set(author, at.map(mint));
  }
  const rows = [...idsOf].flatMap(([author, ids]) => ids.map((id) => ({ author, id })));
  await platform.database.query(
    `with written as (
       insert into activities (id, time, actor_id, verb, object_type, object_id, caller_id, request_id, accepted_at,
         log_generation, log_partition, log_offset)
       select id, activity_time(id), actor_id, 'post', 'note', id::text, 'test', 'test', now(), 1, 0, row_number() over ()
       from unnest($1::uuid[], $2::text[]) as r (id, actor_id)
       returning id, actor_id
     )
     insert into author_weeks select distinct actor_id, activity_week(id) from written`,
    [rows.map(({ id }) => id), rows.map(({ author }) => author)],
  );
  const pairs = Object.entries(followees).flatMap(([reader, authors]) => authors.map((author) => ({ reader, author })));
  await platform.database.query(
    `insert into follows (follower_id, followee_id, active, changed_at, log_generation, log_partition, log_offset)
     select reader, author, true, now(), 1, 0, row_number() over ()
     from unnest($1::text[], $2::text[]) as r (reader, author)`,
    [pairs.map(({ reader }) => reader), pairs.map(({ author }) => author)],
  );
  await platform.database.query(
    `insert into users (id, name) select id, id from unnest($1::text[]) as id on conflict do nothing`,
    [[...Object.keys(history), ...Object.keys(followees)]],
  );
  const { rows: chunks } = await platform.database.query(`select from show_chunks('activities')`);
  expect(chunks.length).toBeGreaterThanOrEqual(weeks);
}

/** Counts the chunks in the plans of its statements. */
class CountingScope extends SqlScope {
  chunks = 0;

  override async any<Row>(sql: string, values: object): Promise<Row[]> {
    const plan = await database.any<{ 'QUERY PLAN': string }>(`explain ${sql}`, { ...values, horizon: horizon.id });
    const text = plan.map((row) => row['QUERY PLAN']).join('\n');
    this.chunks += new Set(text.match(/_hyper_\d+_\d+_chunk\b/g)).size;
    return super.any<Row>(sql, values);
  }
}

const cursors: Record<string, string> = {
  'the top': highestActivityId,
  'one year ago': lowestIdFrom(endMs - 365 * dayMs),
  'five years ago': lowestIdFrom(endMs - 5 * 365 * dayMs),
  'almost ten years ago': lowestIdFrom(endMs - 3_600 * dayMs),
};

const bounds: Record<string, { statements: number; chunks: number }> = {
  weekly: { statements: 5, chunks: 30 },
  yearly: { statements: 14, chunks: 20 },
  dormant: { statements: 5, chunks: 15 },
  nobody: { statements: 2, chunks: 3 },
};

function expectedOf(authors: readonly string[], { direction, from }: Omit<Stretch, 'limit'>): string[] {
  const ids = authors.flatMap((author) => idsOf.get(author) ?? []).sort();
  return direction === 'older'
    ? ids
        .filter((id) => id < from)
        .reverse()
        .slice(0, pageSize)
    : ids.filter((id) => id > from).slice(0, pageSize);
}

const directions = ['older', 'newer'] as const;

describe.each(Object.keys(bounds))('pages of what is done %s', (rhythm) => {
  const bound = bounds[rhythm] ?? { statements: 0, chunks: 0 };
  const reader = `of-${rhythm}`;
  const authors = followees[reader] ?? [];

  test.each(Object.keys(cursors))('from %s on, whatever reads them', async (place) => {
    const from = cursors[place] ?? '';
    for (const direction of directions) {
      const stretch = { direction, from, limit: pageSize };
      const expected = expectedOf(authors, stretch);
      const reads = {
        home: (sql: SqlScope) => homeActivities(sql, reader, stretch),
        author: (sql: SqlScope) => authorActivities(sql, rhythm, reader, stretch),
        ...(direction === 'older' && {
          pull: (sql: SqlScope) => pullHome(sql, reader, from, pageSize),
          friends: (sql: SqlScope) => friendsDeeds(sql, reader, from, pageSize),
          own: (sql: SqlScope) => ownDeeds(sql, rhythm, from, pageSize),
        }),
      };
      for (const [name, read] of Object.entries(reads)) {
        const scope = new CountingScope({ database, horizon });
        const rows = await read(scope);
        const what = `${name}, ${direction}`;
        expect(
          rows.map(({ id }) => id),
          what,
        ).toEqual(expected);
        // One more: controls are in a table of their own.
        expect(scope.statements, `statements of ${what}`).toBeLessThanOrEqual(bound.statements + 1);
        expect(scope.chunks, `chunks of ${what}`).toBeLessThanOrEqual(bound.chunks);
      }
    }
  });

  test('as groups', async () => {
    for (const [place, from] of Object.entries(cursors)) {
      for (const direction of directions) {
        const scope = new CountingScope({ database, horizon });
        const feed = { reader, betweenSql: homeBetweenSql, activeWeeks: (sql: SqlScope) => homeWeeks(sql, { reader }) };
        const heads = await groupHeads(scope, feed, parseAggregationRules(aggregationDefault), {
          direction,
          from,
          until: highestActivityId,
          limit: pageSize,
        });
        expect(
          heads.map(({ id }) => id),
          `${place}, ${direction}`,
        ).toEqual(expectedOf(authors, { direction, from }));
        expect(scope.statements, `${place}, ${direction}`).toBeLessThanOrEqual(2 * bound.statements + 4);
        expect(scope.chunks, `${place}, ${direction}`).toBeLessThanOrEqual(2 * bound.chunks);
      }
    }
  });

  test('as bodies of a list', async () => {
    const ids = expectedOf(authors, { direction: 'older', from: highestActivityId });
    const scope = new CountingScope({ database, horizon });
    const bodies = await activityBodies(scope, ids);
    expect(bodies.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(scope.statements).toBe(1);
    expect(scope.chunks).toBeLessThanOrEqual(ids.length + 1);
  });
});

test('a reader who follows all of them reads ten years to the end and back, with every strategy', async () => {
  const expected = expectedOf(Object.keys(history), { direction: 'older', from: highestActivityId });
  const all = Object.keys(history)
    .flatMap((author) => idsOf.get(author) ?? [])
    .sort()
    .reverse();
  expect(all.slice(0, pageSize)).toEqual(expected);
  for (const strategy of ['pull', 'hybrid']) {
    const items = await platform.feedApi.walk('/v1/feeds/home', 'of-all', 50, { strategy });
    expect(items.map(({ id }) => id)).toEqual(all);
  }
  const items = await platform.feedApi.walk('/v1/users/weekly/feed', 'of-all', 50);
  expect(items.map(({ id }) => id)).toEqual(idsOf.get('weekly'));
});
