import { randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The same on both editions of TimescaleDB: what is a plain view on one is a continuous aggregate on the other. */

const path = '/v1/stats/activities';
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const verbs = ['like', 'post', 'share'];
const spreadMs = 60 * dayMs;

interface Counts {
  buckets: { start: number; verb: string; count: number }[];
}

const random = randomNumbers(19);
const now = Date.now();
const done: { verb: string; timestamp: number; id: string }[] = [];
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  const body = Array.from({ length: 500 }, (_, i) => ({
    actorId: `author-${i % 5}`,
    verb: verbs[Math.floor(random() * verbs.length)] ?? 'post',
    objectType: 'note',
    objectId: `n-${i}`,
    timestamp: now - Math.floor(random() ** 3 * spreadMs),
    // One in ten is for somebody alone.
    ...(i % 10 === 0 && { to: ['friend'] }),
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  done.push(...body.map(({ verb, timestamp }, i) => ({ verb, timestamp, id: items[i]?.id ?? '' })));
  await platform.settle();
}, 60_000);
afterAll(() => platform.stop());

async function counts(query: string): Promise<Counts['buckets']> {
  const { buckets } = await platform.feedApi.succeed<Counts>('GET', `${path}?${query}`, { key: 'abc123' });
  return buckets;
}

function expected(width: number, from: number, to: number, verb?: string): Counts['buckets'] {
  const found = new Map<string, Counts['buckets'][number]>();
  for (const activity of done) {
    const start = Math.floor(activity.timestamp / width) * width;
    if (start >= from && start < to && (verb === undefined || activity.verb === verb)) {
      const key = `${start} ${activity.verb}`;
      found.set(key, { start, verb: activity.verb, count: (found.get(key)?.count ?? 0) + 1 });
    }
  }
  return [...found.values()].sort((a, b) => a.start - b.start || (a.verb < b.verb ? -1 : 1));
}

test('hours and days of the last time, unless other ones are asked for', async () => {
  const hour = Math.ceil(Date.now() / hourMs) * hourMs;
  expect(await counts('bucket=1h')).toEqual(expected(hourMs, hour - 24 * hourMs, hour));
  const day = Math.ceil(Date.now() / dayMs) * dayMs;
  expect(await counts('bucket=1d')).toEqual(expected(dayMs, day - 30 * dayMs, day));
});

test('a range in whole buckets, from the one that it begins in; one verb', async () => {
  const from = now - 40 * dayMs;
  const to = now - 3 * dayMs;
  const [first, end] = [from, to].map((at) => Math.floor(at / hourMs) * hourMs) as [number, number];
  const range = `from=${from}&to=${new Date(end).toISOString()}`;
  expect(await counts(`bucket=1h&${range}`)).toEqual(expected(hourMs, first, end));
  expect(await counts(`bucket=1h&${range}&verb=like`)).toEqual(expected(hourMs, first, end, 'like'));
  expect(await counts(`bucket=1d&from=${now - spreadMs}`)).toEqual(
    expected(dayMs, Math.floor((now - spreadMs) / dayMs) * dayMs, Number.POSITIVE_INFINITY),
  );
  expect(await counts(`bucket=1d&from=${now - spreadMs}&verb=never`)).toEqual([]);
});

test('what was deleted happened', async () => {
  const { id = '' } = done[0] ?? {};
  const before = await counts(`bucket=1d&from=${now - spreadMs}`);
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'author-0' });
  await platform.settle();
  expect(await counts(`bucket=1d&from=${now - spreadMs}`)).toEqual(before);
});

test('the counts of actors are there for operators', async () => {
  const { rows } = await platform.database.query<{ daily: string; hourly: string }>(
    `select (select sum(count) from actor_counts_daily where actor_id = 'author-1') as daily,
       (select sum(count) from actor_counts_hourly where actor_id = 'author-1') as hourly`,
  );
  expect(rows).toEqual([{ daily: '100', hourly: '100' }]);
});

test.each([
  ['no bucket', ''],
  ['an unknown bucket', 'bucket=1w'],
  ['a verb that none can be', 'bucket=1h&verb=No'],
  ['a time that is none', 'bucket=1h&from=yesterday'],
  ['a range that is empty', `bucket=1h&from=${now}&to=${now - dayMs}`],
  ['more buckets than a thousand', `bucket=1h&from=${now - 1_001 * hourMs}`],
  ['what it does not take', 'bucket=1h&actor=1'],
])('%s is refused', async (_, query) => {
  const { status, body } = await platform.feedApi.request(`GET`, `${path}?${query}`, { key: 'abc123' });
  expect([status, body]).toMatchObject([400, { error: { code: 'invalid_request' } }]);
});
