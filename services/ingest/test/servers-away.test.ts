import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Gate, gateTo, throughGate } from './gate.js';
import { Installation, keys, type RunningIngest } from './ingest-server.js';

const post = { verb: 'post', objectType: 'note', objectId: '1' };
const recovery = { timeout: 20_000, interval: 100 };

let installation: Installation;
let ingest: RunningIngest | undefined;
let gate: Gate;

beforeEach(async () => {
  installation = await Installation.create();
});

afterEach(async () => {
  await ingest?.stop();
  ingest = undefined;
  await gate.close();
  await installation.close();
});

type Settings = Parameters<Installation['start']>[0];

/** Starts ingest with a gate before one of its servers. */
async function startBehindGate(
  state: 'open' | 'shut',
  server: { hostname: string; port: string },
  settingsOf: (gate: Gate) => Settings,
): Promise<RunningIngest> {
  gate = await gateTo({ host: server.hostname, port: Number(server.port) }, state);
  ingest = await installation.start(settingsOf(gate));
  return ingest;
}

function kafkaBroker() {
  const [hostname = '', port = ''] = (installation.config.kafkaBrokers[0] ?? '').split(':');
  return { hostname, port };
}

async function readyAgain(started: RunningIngest): Promise<void> {
  await vi.waitUntil(async () => (await started.ready()).status === 200, recovery);
  expect(await started.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({ status: 202 });
}

test('with Kafka away ingest starts, is not ready, takes nothing, and becomes ready by itself', async () => {
  const started = await startBehindGate('shut', kafkaBroker(), (to) => ({ kafkaBrokers: [`${to.host}:${to.port}`] }));

  expect(await started.ready()).toMatchObject({ status: 503, body: { reason: 'Kafka is not available' } });
  expect(await started.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({
    status: 503,
    body: { error: { code: 'unavailable' } },
  });
  gate.open();
  await readyAgain(started);
});

test('with Kafka away ingest stops at once', async () => {
  const started = await startBehindGate('shut', kafkaBroker(), (to) => ({ kafkaBrokers: [`${to.host}:${to.port}`] }));
  ingest = undefined;
  const startedAt = performance.now();
  await started.stop();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test('with the database away ingest starts, is not ready, takes nothing, and becomes ready by itself', async () => {
  const { databaseUrl } = installation.config;
  const started = await startBehindGate('shut', new URL(databaseUrl), (to) => ({
    databaseUrl: throughGate(databaseUrl, to),
  }));

  expect(await started.ready()).toMatchObject({ status: 503, body: { reason: 'the database is not available' } });
  expect(await started.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({
    status: 503,
    body: { error: { code: 'unavailable' } },
  });
  gate.open();
  await readyAgain(started);

  // The log needs no database any more; what a correction needs is away again.
  gate.shut();
  expect(await started.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({ status: 202 });
  expect(await started.call('/v1/follows/user:ben', { method: 'DELETE', key: keys.anna })).toMatchObject({
    status: 503,
    body: { error: { code: 'outcome_unknown' } },
  });
  gate.open();
});

test('a request that runs when ingest stops is answered, and its connection does not hold up the stop', async () => {
  const { redisUrl } = installation.config;
  const started = await startBehindGate('open', new URL(redisUrl), (to) => ({ redisUrl: throughGate(redisUrl, to) }));
  const unfollow = () => started.call('/v1/follows/user:ben', { method: 'DELETE', key: keys.anna });
  await vi.waitUntil(async () => (await unfollow()).status === 202, recovery);
  const before = (await installation.records()).length;

  gate.hang();
  const running = unfollow();
  await vi.waitUntil(async () => (await installation.records()).length > before, recovery);
  ingest = undefined;
  const startedAt = performance.now();
  await started.stop();
  expect(performance.now() - startedAt).toBeLessThan(7_500);
  expect(await running).toMatchObject({ status: 503, body: { error: { code: 'outcome_unknown' } } });
});

test('without set-up ingest refuses to start, and says what to do', async () => {
  await expect(installation.start({ namespace: 'never-set-up' })).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('tideline setup') as string,
  });
});
