import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { type PrometheusServer, startPrometheus } from '@tideline/testing/prometheus-server';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { tidelineDashboard } from '../src/dashboards/tideline-dashboard.js';

/** A real Prometheus reads the real services, and the dashboard's queries are asked of it as Grafana would ask them. */

const author = 'dashboard-author';
const readers = ['dashboard-reader-1', 'dashboard-reader-2'];
/** A rate needs two readings; what Grafana puts in place of its variable is longer than that. */
const rateWindow = '1m';

interface PanelQuery {
  panel: string;
  /** What the panel says in place of "No data". */
  whenEmpty: string | undefined;
  expr: string;
}

const queries = (tidelineDashboard().panels as Panel[]).flatMap(({ title, targets, fieldConfig }) =>
  (targets ?? []).map(
    (target): PanelQuery => ({
      panel: title ?? '',
      whenEmpty: fieldConfig?.defaults.noValue,
      expr: ((target as Dataquery).expr ?? '').replaceAll('$__rate_interval', rateWindow),
    }),
  ),
);

let platform: Platform;
let ports: Record<string, number>;
let prometheus: PrometheusServer | string;

beforeAll(async () => {
  platform = await startPlatform({ partitions: 2 });
  const { ingestOperations, fanoutOperations = 0, feedApiOperations } = platform.ports;
  ports = { ingest: ingestOperations, fanout: fanoutOperations, 'feed-api': feedApiOperations };
  prometheus = await startPrometheus(ports);
}, 400_000);
afterAll(async () => {
  if (typeof prometheus !== 'string') {
    await prometheus?.stop();
  }
  await platform?.stop();
});

beforeEach((context) => {
  if (typeof prometheus === 'string') {
    context.skip(prometheus);
  }
});

function server(): PrometheusServer {
  if (typeof prometheus === 'string') {
    throw new Error(prometheus);
  }
  return prometheus;
}

test('a system that has done nothing yet has no panel that says "No data"', async () => {
  await readAgain(2);

  const silent: string[] = [];
  for (const { panel, whenEmpty, expr } of queries) {
    if (whenEmpty === undefined && (await server().query(expr)).length === 0) {
      silent.push(`${panel}: ${expr}`);
    }
  }
  expect(silent).toEqual([]);
});

test('every query of every panel has a number after some traffic', async () => {
  // Prometheus counts from the first value that it sees, so what happens once is not seen to happen.
  await traffic('first');
  await readAgain(2);
  await traffic('second');
  await readAgain(2);
  await waitUntil('lag was measured', async () => (await server().query('tideline_consumer_lag_records')).length > 0);

  const without: string[] = [];
  for (const { panel, expr } of queries) {
    const samples = await server().query(expr);
    if (!samples.some(({ value }) => Number.isFinite(value))) {
      without.push(`${panel}: ${expr}: ${samples.length} samples`);
    }
  }
  expect(without).toEqual([]);
});

test('the numbers are those of the traffic', async () => {
  const value = async (expr: string) => (await server().query(expr))[0]?.value ?? Number.NaN;
  const exprOf = (panel: string) => queries.find((query) => query.panel === panel)?.expr ?? panel;

  expect(await value('sum(tideline_activities_persisted_total{outcome="new"})')).toBe(6);
  expect(await value('sum by (status) (tideline_http_request_duration_seconds_count{status="404"})')).toBe(2);
  expect((await server().query(exprOf('Services that answer')))[0]?.value).toBe(1);
  expect(await value(exprOf('Failed requests'))).toBe(0);
  expect(await value(exprOf('Lag'))).toBe(0);
  expect(await value(exprOf('Dead letters, 1 h'))).toBe(0);
  expect(await value(exprOf('Freshness, p99'))).toBeGreaterThan(0);
});

test('every metric that a panel names is one that a service has', async () => {
  const pages = await Promise.all(Object.values(ports).map(readMetrics));
  const known = new Set(pages.flatMap(({ names }) => [...names]));

  const named = queries.flatMap(({ expr }) => expr.match(/\b(?:tideline|nodejs|process)_\w+/g) ?? []);
  const unknown = named.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')).filter((name) => !known.has(name));
  expect(unknown).toEqual([]);
  expect(named.length).toBeGreaterThan(queries.length / 2);
});

test('promtool finds nothing to say against the configuration', async () => {
  expect(await server().checkConfig('deploy/prometheus/prometheus.yml')).toContain('is valid prometheus config file');
});

/** Follows, posts, pages of every strategy, a path that no route has; and all of it delivered. */
async function traffic(name: string): Promise<void> {
  const { ingest, feedApi } = platform;
  await ingest.succeed('POST', '/v1/follows', {
    body: readers.map((followerId) => ({ followerId, followeeId: author })),
  });
  for (let post = 0; post < 3; post += 1) {
    const body = { actorId: author, verb: 'post', objectType: 'note', objectId: `${name}-${post}` };
    await ingest.succeed('POST', '/v1/activities', { body });
  }
  await platform.settle();
  for (const actAs of [...readers, `${name}-reader`]) {
    for (const strategy of ['hybrid', 'push', 'pull']) {
      await feedApi.succeed('GET', `/v1/feeds/home?strategy=${strategy}`, { actAs });
    }
  }
  await feedApi.request('GET', '/v1/nothing-here');
  await platform.settle();
}

/** Waits until Prometheus has read every service so many times more; the first of them may have begun before. */
async function readAgain(times: number): Promise<void> {
  const counts = async () => {
    const samples = await server().query('sum_over_time(up[1h])');
    return new Map(samples.map(({ labels, value }) => [labels['job'] ?? '', value]));
  };
  const before = await counts();
  await waitUntil(`Prometheus has read every service ${times} times more`, async () => {
    const now = await counts();
    return Object.keys(ports).every((job) => (now.get(job) ?? 0) >= (before.get(job) ?? 0) + times);
  });
}
