import { randomBytes } from 'node:crypto';
import { setUp } from '@tideline/deploy/setup/set-up';
import { tearDown } from '@tideline/deploy/setup/tear-down';
import { aggregationDefault } from '@tideline/shared/aggregation-rules';
import type { AgreedSettings } from '@tideline/shared/agreed-settings';
import type { Cache } from '@tideline/shared/cache';
import type { TestServers } from '@tideline/testing/test-servers';
import { benchScript } from './bench-script.js';

const removeSomeKeys = benchScript('remove-keys');

/** What an installation is called and where its servers are, as every service takes it from its environment. */
export interface Installation {
  TIDELINE_DATABASE_URL: string;
  TIDELINE_REDIS_URL: string;
  TIDELINE_KAFKA_BROKERS: string;
  TIDELINE_NAMESPACE: string;
  /** Benches call with the keys that everybody knows. */
  TIDELINE_DEMO: '1';
  /** A fuzzer that calls without a key is one address. */
  TIDELINE_ADDRESS_QUOTA: '0';
  TIDELINE_INBOX_CAP: string;
  TIDELINE_FOLLOWER_THRESHOLD: string;
}

/** What benches may set otherwise. */
export type InstallationSettings = Pick<AgreedSettings, 'inboxCap' | 'followerThreshold'>;

/** Makes a database and topics apart from everybody else's on these servers. */
export async function install(urls: TestServers['urls'], settings: InstallationSettings): Promise<Installation> {
  const namespace = `bench${randomBytes(4).toString('hex')}`;
  const databaseUrl = new URL(urls.TIDELINE_DATABASE_URL);
  databaseUrl.pathname = `/tideline_${namespace}`;
  const installation = {
    ...urls,
    TIDELINE_DATABASE_URL: databaseUrl.href,
    TIDELINE_NAMESPACE: namespace,
    TIDELINE_DEMO: '1' as const,
    TIDELINE_ADDRESS_QUOTA: '0' as const,
    TIDELINE_INBOX_CAP: String(settings.inboxCap),
    TIDELINE_FOLLOWER_THRESHOLD: String(settings.followerThreshold),
  };
  await setUp(setUpConfig(installation));
  return installation;
}

/** Removes all of it. Nothing may use it any more. */
export async function uninstall(installation: Installation, cache: Cache): Promise<void> {
  await tearDown(setUpConfig(installation));
  await removeKeys(installation.TIDELINE_NAMESPACE, cache);
}

/** What a flush does, but to this installation alone. */
export async function removeKeys(namespace: string, cache: Cache): Promise<void> {
  let cursor = '0';
  do {
    cursor = String(await cache.runOne(removeSomeKeys, [], [cursor, `${namespace}:*`]));
  } while (cursor !== '0');
}

function setUpConfig(installation: Installation) {
  return {
    databaseUrl: installation.TIDELINE_DATABASE_URL,
    redisUrl: installation.TIDELINE_REDIS_URL,
    kafkaBrokers: installation.TIDELINE_KAFKA_BROKERS.split(','),
    namespace: installation.TIDELINE_NAMESPACE,
    partitions: 12,
    replicationFactor: 1,
    inboxCap: Number(installation.TIDELINE_INBOX_CAP),
    followerThreshold: Number(installation.TIDELINE_FOLLOWER_THRESHOLD),
    aggregation: aggregationDefault,
    retentionDays: 0,
    demo: true,
  };
}
