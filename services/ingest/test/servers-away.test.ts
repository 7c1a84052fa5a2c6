import { afterEach, expect, test, vi } from 'vitest';
import { type Gate, gateTo, throughGate } from './gate.js';
import { Installation, keys, type RunningIngest } from './ingest-server.js';

const post = { verb: 'post', objectType: 'note', objectId: '1' };
const recovery = { timeout: 20_000, interval: 100 };

let installation: Installation;
let ingest: RunningIngest;
let gate: Gate;

afterEach(async () => {
  await ingest.stop();
  await gate.close();
  await installation.close();
});

/** Starts ingest with a gate before one of its servers, shut at first. */
async function startBehindGate(
  host: string,
  port: string,
  settingsOf: (gate: Gate) => Parameters<Installation['start']>[0],
) {
  gate = await gateTo({ host, port: Number(port) }, 'shut');
  ingest = await installation.start(settingsOf(gate));
}

async function readyAgain(): Promise<void> {
  await vi.waitUntil(async () => (await ingest.ready()).status === 200, recovery);
  expect(await ingest.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({ status: 202 });
}

test('with Kafka away ingest starts, is not ready, takes nothing, and becomes ready by itself', async () => {
  installation = await Installation.create();
  const [host = '', port = ''] = (installation.config.kafkaBrokers[0] ?? '').split(':');
  await startBehindGate(host, port, (to) => ({ kafkaBrokers: [`${to.host}:${to.port}`] }));

  expect(await ingest.ready()).toMatchObject({ status: 503, body: { reason: 'Kafka is not available' } });
  expect(await ingest.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({
    status: 503,
    body: { error: { code: 'unavailable' } },
  });
  gate.open();
  await readyAgain();
});

test('with Kafka away ingest stops at once', async () => {
  installation = await Installation.create();
  await startBehindGate('127.0.0.1', '1', (to) => ({ kafkaBrokers: [`${to.host}:${to.port}`] }));
  const startedAt = performance.now();
  await ingest.stop();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  ingest = await installation.start();
});

test('with the database away ingest starts, is not ready, takes nothing, and becomes ready by itself', async () => {
  installation = await Installation.create();
  const { hostname, port } = new URL(installation.config.databaseUrl);
  await startBehindGate(hostname, port, (to) => ({ databaseUrl: throughGate(installation.config.databaseUrl, to) }));

  expect(await ingest.ready()).toMatchObject({ status: 503, body: { reason: 'the database is not available' } });
  expect(await ingest.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({
    status: 503,
    body: { error: { code: 'unavailable' } },
  });
  gate.open();
  await readyAgain();

  gate.shut();
  expect(await ingest.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({ status: 202 });
  expect(await ingest.call('/v1/follows/user:ben', { method: 'DELETE', key: keys.anna })).toMatchObject({
    status: 503,
    body: { error: { code: 'outcome_unknown' } },
  });
  gate.open();
});
