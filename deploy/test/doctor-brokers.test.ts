import { activitiesTopic } from '@tideline/shared/topics';
import { type FaultServers, startFaultServers } from '@tideline/testing/fault-servers';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { examine } from '../src/doctor/examine.js';
import { topicResource } from '../src/setup/kafka-admin.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

/** What doctor can find only where there are several brokers. */

const startTimeoutMs = 180_000;

let servers: FaultServers | string;
let platform: Platform;

beforeAll(async () => {
  servers = await startFaultServers({ brokers: 3 });
  if (typeof servers !== 'string') {
    platform = await startPlatform({ servers: servers.urls, replicationFactor: 3, partitions: 3 });
  }
}, startTimeoutMs);
afterAll(async () => {
  if (typeof servers !== 'string') {
    await platform.stop();
    await servers.erase();
  }
});
beforeEach(({ skip }) => {
  skip(typeof servers === 'string', String(servers));
});

function config() {
  return { ...platform.settings, partitions: 3, replicationFactor: 3 };
}

async function codesOf(options: Partial<Parameters<typeof examine>[0]> = {}): Promise<string[]> {
  const { findings } = await examine({
    config: config(),
    services: true,
    operationsUrls: [],
    patienceMs: 2_000,
    ...options,
  });
  return [...new Set(findings.map(({ severity, code }) => `${severity} ${code}`))].sort();
}

/** Kafka replaces all settings of a topic at once. */
async function setMinInSync(replicas: number): Promise<void> {
  const settings = {
    'retention.ms': 7 * 24 * 60 * 60_000,
    'unclean.leader.election.enable': false,
    'min.insync.replicas': replicas,
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value: String(value) }));
  const name = activitiesTopic(platform.namespace);
  await platform.admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: topicResource, name, configEntries }],
  });
}

test('on three brokers that are well nothing is found', async () => {
  expect(await codesOf()).toEqual([]);
});

test.each([
  [1, 'fault'],
  [3, 'warning'],
])('min.insync.replicas of %i is found', async (replicas, severity) => {
  try {
    await setMinInSync(replicas);
    expect(await codesOf()).toEqual([`${severity} topic_min_insync`]);
  } finally {
    await setMinInSync(2);
  }
  expect(await codesOf()).toEqual([]);
});

test('topics of one copy are found where there are brokers for more', async () => {
  const databaseUrl = new URL('/tideline_single', platform.settings.databaseUrl).href;
  const single = { ...config(), databaseUrl, namespace: 'single', replicationFactor: 1 };
  await setUp(single);
  try {
    expect(await codesOf({ config: single, services: false })).toEqual(['warning topic_not_replicated']);
  } finally {
    await tearDown(single);
  }
});

test('copies that are behind are found, until their broker is back', async () => {
  const { stopServer, startServer } = servers as FaultServers;
  await stopServer('kafka3');
  try {
    await waitUntil('the copies of a broker are missed', async () =>
      (await codesOf()).includes('warning topic_under_replicated'),
    );
    await waitUntil('all else is well', async () => (await codesOf()).length === 1);
  } finally {
    await startServer('kafka3');
  }
  await waitUntil('nothing is found any more', async () => (await codesOf()).length === 0);
});
