import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What operators see of the three services, and how fanout stops. */

const home = '/v1/feeds/home';
const stopMaxMs = 20_000;
const backlogSize = 8_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold: 5 });
});
afterAll(() => platform.stop());

type ServiceName = 'ingest' | 'feedApi' | 'fanout';
const services: ServiceName[] = ['ingest', 'feedApi', 'fanout'];

function operationsPort(service: ServiceName): number {
  return platform.ports[`${service}Operations`] ?? 0;
}

async function get(service: ServiceName, path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${operationsPort(service)}${path}`, { method });
  return { status: response.status, text: await response.text() };
}

async function metrics(service: ServiceName) {
  return readMetrics(operationsPort(service));
}

async function post(actorId: string, count: number): Promise<void> {
  const body = Array.from({ length: count }, () => ({ actorId, verb: 'post', objectType: 'note', objectId: 'n' }));
  await platform.ingest.succeed('POST', '/v1/activities', { body });
}

test.each(services)('%s says that it lives and is ready, and nothing else', async (service) => {
  expect(await get(service, '/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' });
  expect(await get(service, '/readyz')).toEqual({ status: 200, text: '{"status":"ready"}' });
  expect((await get(service, '/v1/feeds/home')).status).toBe(404);
  expect((await get(service, '/healthz', 'POST')).status).toBe(405);
});

const processMetrics = [
  'nodejs_eventloop_lag_p99_seconds',
  'process_resident_memory_bytes',
  'nodejs_gc_duration_seconds',
];

test.each([
  ['ingest', ['tideline_http_request_duration_seconds', 'tideline_produce_duration_seconds', 'tideline_lane_depth']],
  [
    'fanout',
    [
      'tideline_consumer_lag_records',
      'tideline_batch_records',
      'tideline_batch_stage_duration_seconds',
      'tideline_deliveries_total',
      'tideline_freshness_seconds',
      'tideline_dead_letters_total',
      'tideline_batch_retries_total',
      'tideline_threshold_crossings_total',
    ],
  ],
  [
    'feedApi',
    [
      'tideline_http_request_duration_seconds',
      'tideline_feed_cache_reads_total',
      'tideline_bodies_read_total',
      'tideline_list_rebuild_seconds',
      'tideline_read_sql_statements',
    ],
  ],
] as const)('%s has the metrics that it should', async (service, names) => {
  const page = await metrics(service);
  expect([...page.names]).toEqual(expect.arrayContaining([...names, ...processMetrics]));
  expect([...page.byLabel('process_resident_memory_bytes', 'service').keys()]).toHaveLength(1);
});

test('what happens moves the metrics that count it', async () => {
  const follows = Array.from({ length: 6 }, (_, i) => ({ followerId: `m-reader-${i}`, followeeId: 'm-star' }));
  await platform.ingest.succeed('POST', '/v1/follows', {
    body: [...follows, { followerId: 'm-reader-0', followeeId: 'm-author' }],
  });
  await platform.settle();
  const hits = async () => (await metrics('feedApi')).sum('tideline_feed_cache_reads_total', { outcome: 'hit' });
  await waitUntil('the inbox and the outbox that it merges are there', async () => {
    const hitsBefore = await hits();
    await platform.feedApi.walk(home, 'm-reader-0', 50);
    await platform.settle();
    return (await hits()) > hitsBefore;
  });
  const before = {
    ingest: await metrics('ingest'),
    fanout: await metrics('fanout'),
    feedApi: await metrics('feedApi'),
  };
  await post('m-author', 10);
  await platform.settle();
  await platform.feedApi.walk(home, 'm-reader-0', 5);
  await platform.feedApi.walk(home, 'm-reader-1', 5);
  await platform.feedApi.request('GET', '/v1/nothing');
  await platform.settle();
  const after = { ingest: await metrics('ingest'), fanout: await metrics('fanout'), feedApi: await metrics('feedApi') };
  const rise = (service: ServiceName, name: string, labels: Record<string, string> = {}) =>
    after[service].sum(name, labels) - before[service].sum(name, labels);

  const posting = { route: '/v1/activities', method: 'POST', status: '202' };
  expect(rise('ingest', 'tideline_http_request_duration_seconds_count', posting)).toBe(1);
  expect(rise('ingest', 'tideline_produce_batch_records_sum')).toBe(10);
  expect(rise('ingest', 'tideline_produce_duration_seconds_count')).toBe(1);
  expect(after.ingest.sum('tideline_lane_depth')).toBe(0);

  expect(rise('fanout', 'tideline_batch_records_sum')).toBe(10);
  for (const stage of ['persist', 'followers', 'bodies', 'deliver', 'follows', 'deletes', 'threshold']) {
    expect(rise('fanout', 'tideline_batch_stage_duration_seconds_count', { stage }), stage).toBe(1);
  }
  // The author's own inbox and outbox and one follower's inbox; of these three lists one exists.
  expect(rise('fanout', 'tideline_deliveries_total', { outcome: 'addressed' })).toBe(30);
  expect(rise('fanout', 'tideline_deliveries_total', { outcome: 'inserted' })).toBe(10);
  expect(rise('fanout', 'tideline_freshness_seconds_count')).toBe(10);
  expect(rise('fanout', 'tideline_freshness_seconds_sum') / 10).toBeLessThan(5);
  expect(after.fanout.sum('tideline_threshold_crossings_total', { to: 'pull' })).toBe(1);

  const reading = { route: home, method: 'GET', status: '200' };
  expect(rise('feedApi', 'tideline_http_request_duration_seconds_count', reading)).toBe(3);
  expect(rise('feedApi', 'tideline_http_request_duration_seconds_count', { route: 'unknown', status: '404' })).toBe(1);
  expect(rise('feedApi', 'tideline_feed_cache_reads_total', { outcome: 'hit' })).toBe(2);
  expect(rise('feedApi', 'tideline_feed_cache_reads_total', { outcome: 'miss' })).toBe(1);
  expect(rise('feedApi', 'tideline_list_rebuild_seconds_count', { outcome: 'ready' })).toBeGreaterThan(0);
  expect(rise('feedApi', 'tideline_bodies_read_total', { source: 'redis' })).toBe(10);
  expect(rise('feedApi', 'tideline_read_sql_statements_count', { feed: 'home', strategy: 'hybrid' })).toBe(3);
});

test('labels are of few values, whatever is asked for', async () => {
  for (const id of ['a', 'b', 'c']) {
    await platform.feedApi.request('GET', `/v1/users/${id}/feed`);
    await platform.feedApi.request('GET', `/v1/nothing/${id}`);
  }
  const page = await metrics('feedApi');
  const routes = [...page.byLabel('tideline_http_request_duration_seconds_count', 'route').keys()];
  // The document is read by whoever checks answers against it.
  expect(routes.sort()).toEqual(['/openapi.json', home, '/v1/users/:id/feed', 'unknown']);
});

test('lag is told by partition, and falls to nothing', async () => {
  const partitions = (await platform.admin.fetchTopicOffsets(platform.topic)).map(({ partition }) => String(partition));
  const lagMeasured = async () => [
    ...(await metrics('fanout')).byLabel('tideline_consumer_lag_records', 'partition').keys(),
  ];
  await waitUntil('lag was measured', async () => (await lagMeasured()).length === partitions.length);
  expect((await lagMeasured()).sort()).toEqual(partitions.sort());
  expect((await metrics('fanout')).sum('tideline_consumer_lag_records')).toBe(0);
});

test('fanout that is told to stop in the middle of a backlog commits what it did, within 20 s, and loses nothing', async () => {
  await platform.stopFanout();
  const readers = ['b-reader-0', 'b-reader-1', 'b-reader-2'];
  const follows = readers.map((followerId) => ({ followerId, followeeId: 'b-author' }));
  await platform.ingest.succeed('POST', '/v1/follows', { body: follows });
  for (let sent = 0; sent < backlogSize; sent += 500) {
    await post('b-author', 500);
  }
  const before = await platform.lag();
  expect(before).toBeGreaterThanOrEqual(backlogSize);

  const stopping = await platform.spawnFanout();
  await waitUntil('some of it is done', async () => (await platform.lag()) < before);
  const signalledAt = performance.now();
  await stopping.signal('SIGTERM');
  expect(performance.now() - signalledAt).toBeLessThan(stopMaxMs);
  expect(stopping.exitCode).toBe(0);
  const left = await platform.lag();
  const { rows } = await platform.database.query<{ stored: number }>(
    `select count(*)::int as stored from activities where actor_id = 'b-author'`,
  );
  expect(left).toBeGreaterThan(0);
  // Nothing that it did is left to be done again.
  expect((rows[0]?.stored ?? 0) + left).toBe(backlogSize);

  const next = await platform.spawnFanout();
  await platform.settle();
  const ids = (await platform.feedApi.walk(home, 'b-reader-0', 50)).map(({ id }) => id);
  expect(ids).toHaveLength(backlogSize);
  expect(new Set(ids).size).toBe(backlogSize);
  expect([...ids].sort().reverse()).toEqual(ids);
  await next.signal('SIGTERM');
  expect(next.exitCode).toBe(0);
});

test.each([
  ['fanout', 'TIDELINE_INBOX_CAP', '7', '500'],
  ['fanout', 'TIDELINE_FOLLOWER_THRESHOLD', '6', '5'],
  ['feed-api', 'TIDELINE_INBOX_CAP', '7', '500'],
] as const)('a %s whose %s is another one than that of the others does not start', async (service, variable, own, agreed) => {
  await expect(platform.spawn(service, { [variable]: own })).rejects.toThrow(
    `${variable} is ${own} here, and ${agreed} to the others`,
  );
});
