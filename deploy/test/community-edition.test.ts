import { randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { examine } from '../src/doctor/examine.js';

/** What only the community edition of TimescaleDB has. With the Apache edition none of this runs: docs/not-run-here.md. */

const dayMs = 86_400_000;
const author = 'author-0';
const random = randomNumbers(41);
const views = ['activity_counts_daily', 'activity_counts_hourly', 'actor_counts_daily', 'actor_counts_hourly'];
let platform: Platform;
let license: string;
const ids: string[] = [];

beforeAll(async () => {
  platform = await startPlatform();
  license =
    (await query<{ license: string }>(`select current_setting('timescaledb.license') as license`))[0]?.license ?? '';
  ids.push(...(await post(Array.from({ length: 400 }, (_, i) => old(`f-${i}`)))));
}, 60_000);
afterAll(() => platform.stop());
beforeEach((context) => {
  context.skip(license !== 'timescale', `needs the community edition of TimescaleDB, and this one is "${license}"`);
});

async function query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
  return (await platform.database.query<Row>(sql, values)).rows;
}

function old(foreignId: string, actorId = `author-${Math.floor(random() * 5)}`) {
  const timestamp = Date.now() - 40 * dayMs - Math.floor(random() * 60 * dayMs);
  return { actorId, verb: 'post', objectType: 'note', objectId: 'n', foreignId, timestamp };
}

async function post(body: readonly object[]): Promise<string[]> {
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  await platform.settle();
  return items.map(({ id }) => id);
}

/** As the policy does, also of chunks that something was imported into. */
async function compressOldChunks(): Promise<void> {
  await query(`
    select compress_chunk(c, if_not_compressed => true, recompress => true)
    from show_chunks('activities', older_than => now() - interval '28 days') c`);
}

/** Rows that are in old chunks without being compressed. */
async function looseRows(): Promise<number> {
  const chunks = await query<{ chunk: string }>(`
    select format('%I.%I', chunk_schema, chunk_name) as chunk from timescaledb_information.chunks
    where hypertable_name = 'activities' and range_end < now() - interval '28 days'`);
  let rows = 0;
  for (const { chunk } of chunks) {
    rows += Number((await query<{ count: string }>(`select count(*) from only ${chunk}`))[0]?.count);
  }
  return rows;
}

async function storedIds(): Promise<string[]> {
  return (await query<{ id: string }>('select id from activities order by id')).map(({ id }) => id);
}

test('counts are continuous aggregates, with what is newer than their last refresh', async () => {
  const found = await query<{ name: string; only: boolean }>(`
    select view_name::text as name, materialized_only as only from timescaledb_information.continuous_aggregates
    order by 1`);
  expect(found).toEqual(views.map((name) => ({ name, only: false })));
  const counted = async () =>
    (await query<{ count: string }>('select sum(count) as count from activity_counts_daily')).map(({ count }) =>
      Number(count),
    );
  expect(await counted()).toEqual([ids.length]);
  await query(`call refresh_continuous_aggregate('activity_counts_daily', null, now() - interval '2 days')`);
  expect(await counted()).toEqual([ids.length]);
  ids.push(...(await post([{ ...old('new'), timestamp: Date.now() }])));
  expect(await counted()).toEqual([ids.length]);
  // What is imported into what was counted is there after the next refresh.
  ids.push(...(await post([old('imported')])));
  await query(`call refresh_continuous_aggregate('activity_counts_daily', null, now() - interval '2 days')`);
  expect(await counted()).toEqual([ids.length]);
});

test('policies refresh, and compress what is older than four weeks', async () => {
  const jobs = await query<{ proc_name: string; count: string }>(`
    select proc_name, count(*) from timescaledb_information.jobs where job_id >= 1000 group by 1 order by 1`);
  expect(jobs).toEqual([
    { proc_name: 'policy_compression', count: '1' },
    { proc_name: 'policy_refresh_continuous_aggregate', count: '4' },
  ]);
  for (const { id } of await query<{ id: number }>(
    'select job_id as id from timescaledb_information.jobs where job_id >= 1000',
  )) {
    await query(`call run_job(${id})`);
  }
  expect(await looseRows()).toBe(0);
});

test('doctor finds what is not used, and jobs that are gone', async () => {
  const codes = async () => {
    const config = { ...platform.settings, partitions: 6, replicationFactor: 1 };
    const { findings } = await examine({ config, services: false, operationsUrls: [], patienceMs: 0 });
    return findings.map(({ code }) => code);
  };
  expect(await codes()).toEqual([]);
  await query('alter materialized view activity_counts_daily set (timescaledb.materialized_only = true)');
  expect(await codes()).toEqual(['edition_unused']);
  await query('alter materialized view activity_counts_daily set (timescaledb.materialized_only = false)');
  await query(`select remove_compression_policy('activities')`);
  expect(await codes()).toEqual(['job_missing']);
  await query(`select add_compression_policy('activities', compress_after => interval '28 days')`);
  expect(await codes()).toEqual([]);
});

test('every feed reads the same from compressed chunks', async () => {
  await platform.ingest.succeed('PUT', `/v1/follows/${author}`, { actAs: 'reader' });
  await platform.settle();
  const read = async () => {
    const walks = ['pull', 'hybrid'].map((strategy) =>
      platform.feedApi.walk('/v1/feeds/home', 'reader', 7, { strategy }),
    );
    return Promise.all([...walks, platform.feedApi.walk(`/v1/users/${author}/feed`, 'reader', 7)]);
  };
  await platform.redis.flushall();
  const compressed = await read();
  await query(`select decompress_chunk(c, if_compressed => true) from show_chunks('activities') c`);
  await platform.redis.flushall();
  expect(await read()).toEqual(compressed);
  expect(compressed[0]?.length).toBeGreaterThan(50);
  await compressOldChunks();
});

test('a retry is known, and leaves compressed chunks as they are', async () => {
  const before = await storedIds();
  const body = Array.from({ length: 50 }, (_, i) => old(`again-${i}`));
  const first = await post(body);
  await compressOldChunks();
  expect(await looseRows()).toBe(0);
  expect(await post(body)).toEqual(first);
  expect(await looseRows()).toBe(0);
  expect(await storedIds()).toEqual([...before, ...first].sort());
  // Only segments of the same author at the same time are looked into, not all of the chunk.
  const plan = await query<{ 'QUERY PLAN': string }>(
    `explain (analyze) insert into activities select * from activities where id = any($1) on conflict do nothing`,
    [first],
  );
  expect(plan.map((row) => row['QUERY PLAN']).join('\n')).not.toMatch(/Batches/);
});

test('what is imported into compressed chunks is in every feed', async () => {
  const imported = await post(Array.from({ length: 200 }, (_, i) => old(`late-${i}`, author)));
  expect(await looseRows()).toBeGreaterThan(0);
  const items = await platform.feedApi.walk(`/v1/users/${author}/feed`, 'reader', 50);
  const shown = new Set(items.map(({ id }) => id));
  expect(imported.filter((id) => !shown.has(id))).toEqual([]);
});

test('events in compressed chunks are refused every change, and whole chunks go', async () => {
  await compressOldChunks();
  await expect(query(`update activities set verb = 'x'`)).rejects.toThrow(/append-only/);
  await expect(query('delete from activities')).rejects.toThrow(/append-only/);
  const before = await storedIds();
  await query('select raise_horizon(60)');
  await query('select drop_expired_chunks()');
  const after = await storedIds();
  expect(after.length).toBeGreaterThan(0);
  expect(after.length).toBeLessThan(before.length);
  const [oldest] = await query<{ isKept: boolean }>(
    `select activity_time($1) >= (select horizon from retention) as "isKept"`,
    [after[0]],
  );
  expect(oldest).toEqual({ isKept: true });
});
