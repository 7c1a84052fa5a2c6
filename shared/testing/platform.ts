import { randomBytes } from 'node:crypto';
import { type ServerUrls, serverUrlsOf } from '@tideline/deploy/servers/server-urls';
import { setUp } from '@tideline/deploy/setup/set-up';
import { tearDown } from '@tideline/deploy/setup/tear-down';
import { type FanoutService, startFanout } from '@tideline/fanout/service';
import { type FeedApiService, startFeedApi } from '@tideline/feed-api/service';
import { type IngestService, startIngest } from '@tideline/ingest/service';
import { aggregationDefault } from '@tideline/shared/aggregation-rules';
import type { DoorConfig } from '@tideline/shared/door-settings';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLags } from '@tideline/shared/log-progress';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, fanoutGroup } from '@tideline/shared/topics';
import { Redis } from 'ioredis';
import type { Admin } from 'kafkajs';
import pg from 'pg';
import { freePort } from './free-port.js';
import { HttpClient } from './http-client.js';
import { type RefusedStatements, watchRefusals } from './refused-statements.js';
import { ServiceProcess } from './service-process.js';
import { waitUntil } from './wait-until.js';

export interface PlatformOptions {
  partitions?: number;
  /** Of the topics; 1 unless given. */
  replicationFactor?: number;
  inboxCap?: number;
  followerThreshold?: number;
  /** Rules of aggregated feeds. */
  aggregation?: string;
  /** How long content is kept; 0, for ever, unless given. */
  retentionDays?: number;
  /** 0 unless given: what feeds are held against is what the database says now. */
  pullCacheMs?: number;
  /** Of feed-api; 100 unless given. */
  streamsMax?: number;
  /** How often fanout checks feeds by itself; 0, never, unless given. */
  verifyIntervalMs?: number;
  /** Between two refreshes of the materialised home feeds; none unless given. */
  materializedIntervalMs?: number;
  /** false: tests start fanout themselves. */
  fanout?: boolean;
  logLevel?: string;
  /** Of ingest and feed-api: tokens, quotas and so on; nothing is limited unless given. */
  door?: Partial<DoorConfig>;
  /** The test takes privileges away: that something is refused is no failure. */
  refusals?: 'expected';
  /** Servers of the test's own; those that all tests share unless given. */
  servers?: ServerUrls;
}

/**
 * The whole system on real servers, apart from every other one: its own database, topics, Redis keys, consumer group
 * and ports. Services run in this process; fanout can also run as a process that tests kill.
 */
export class Platform {
  readonly ingest: HttpClient;
  readonly feedApi: HttpClient;
  readonly database: pg.Pool;
  readonly redis: Redis;
  readonly admin: Admin;
  readonly namespace: string;
  readonly topic: string;
  readonly #started: Started;
  #fanout: FanoutService | undefined;
  readonly #moreFeedApis: FeedApiService[] = [];
  readonly #processes: ServiceProcess[] = [];

  constructor(started: Started) {
    this.#started = started;
    this.namespace = started.settings.namespace;
    this.topic = activitiesTopic(this.namespace);
    this.ingest = new HttpClient(started.ingest.httpPort);
    this.feedApi = new HttpClient(started.feedApi.httpPort);
    this.database = started.database;
    this.redis = started.redis;
    this.admin = started.admin;
  }

  /** Where its servers are. */
  get servers(): ServerUrls {
    return this.#started.servers;
  }

  /** What its services were started with. */
  get settings() {
    return this.#started.settings;
  }

  get ports() {
    const { ingest, feedApi } = this.#started;
    return {
      ingest: ingest.httpPort,
      ingestOperations: ingest.operationsPort,
      feedApi: feedApi.httpPort,
      feedApiOperations: feedApi.operationsPort,
      fanoutOperations: this.#fanout?.operationsPort,
    };
  }

  async startFanout(): Promise<void> {
    const { settings } = this.#started;
    this.#fanout = await startFanout({ ...settings, operationsPort: 0 }, (reason) => {
      throw new Error(`fanout cannot go on: ${reason}`);
    });
    const { operationsPort } = this.#fanout;
    await waitUntil('fanout is ready', async () => (await fetch(`http://127.0.0.1:${operationsPort}/readyz`)).ok);
  }

  async stopFanout(): Promise<void> {
    await this.#fanout?.stop();
    this.#fanout = undefined;
  }

  /** Another feed-api beside the first, as behind a load balancer. */
  async startAnotherFeedApi(): Promise<HttpClient> {
    const feedApi = await startFeedApi({ ...this.#started.settings, httpPort: 0, operationsPort: 0 });
    this.#moreFeedApis.push(feedApi);
    return new HttpClient(feedApi.httpPort);
  }

  async spawnFanout(): Promise<ServiceProcess> {
    return this.spawn('fanout');
  }

  /** Starts one more service of this system as a process of its own, which logs all there is to log. */
  async spawn(
    service: 'ingest' | 'fanout' | 'feed-api',
    environment: Record<string, string> = {},
  ): Promise<ServiceProcess> {
    const { settings } = this.#started;
    const process = new ServiceProcess(service, {
      TIDELINE_DATABASE_URL: settings.databaseUrl,
      TIDELINE_REDIS_URL: settings.redisUrl,
      TIDELINE_KAFKA_BROKERS: settings.kafkaBrokers.join(','),
      TIDELINE_NAMESPACE: settings.namespace,
      TIDELINE_LOG_LEVEL: 'info',
      TIDELINE_DEMO: '1',
      TIDELINE_HTTP_PORT: String(await freePort()),
      TIDELINE_OPERATIONS_PORT: String(await freePort()),
      TIDELINE_INBOX_CAP: String(settings.inboxCap),
      TIDELINE_FOLLOWER_THRESHOLD: String(settings.followerThreshold),
      TIDELINE_AGGREGATION: settings.aggregation,
      TIDELINE_RETENTION_DAYS: String(settings.retentionDays),
      ...environment,
    });
    this.#processes.push(process);
    await process.ready();
    return process;
  }

  /** How many records are not committed by fanout yet. */
  async lag(): Promise<number> {
    const lags = await readLags(this.admin, this.topic, fanoutGroup(this.namespace));
    return [...lags.values()].reduce((sum, lag) => sum + lag, 0);
  }

  /** Waits until everything acknowledged is applied and no list is being rebuilt: the system is at rest. */
  async settle(timeoutMs?: number): Promise<void> {
    await waitUntil('fanout has caught up', async () => (await this.lag()) === 0, timeoutMs);
    await this.settleReads();
  }

  /** Waits until no list is being rebuilt, whether or not fanout runs. */
  async settleReads(): Promise<void> {
    await Promise.all([this.#started.feedApi, ...this.#moreFeedApis].map((feedApi) => feedApi.settled()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.signal('SIGKILL')));
    await this.stopFanout();
    const { ingest, feedApi, database, redis, admin, settings, refused } = this.#started;
    await Promise.all([ingest.stop(), feedApi.stop(), ...this.#moreFeedApis.map((more) => more.stop())]);
    await Promise.all([database.end(), admin.disconnect()]);
    redis.disconnect();
    await tearDown({ ...settings, partitions: 1, replicationFactor: 1 });
    refused?.expectNone();
  }
}

interface Started {
  servers: ServerUrls;
  settings: ReturnType<typeof settingsFor>;
  ingest: IngestService;
  feedApi: FeedApiService;
  database: pg.Pool;
  redis: Redis;
  admin: Admin;
  refused: RefusedStatements | undefined;
}

export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const servers = options.servers ?? sharedServers();
  const settings = settingsFor(options, servers);
  const refused = options.refusals === 'expected' ? undefined : watchRefusals(settings.databaseUrl);
  await setUp({ ...settings, partitions: options.partitions ?? 6, replicationFactor: options.replicationFactor ?? 1 });
  const kafka = createKafka({
    brokers: settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  });
  const admin = kafka.admin();
  const [ingest, feedApi] = await Promise.all([
    startIngest({ ...settings, httpPort: 0, operationsPort: 0 }),
    startFeedApi({ ...settings, httpPort: 0, operationsPort: 0 }),
    admin.connect(),
  ]);
  const database = new pg.Pool({ connectionString: settings.databaseUrl, max: 4 });
  // A test may stop the server under it.
  database.on('error', () => undefined);
  const redis = new Redis(settings.redisUrl);
  redis.on('error', () => undefined);
  const platform = new Platform({ servers, settings, ingest, feedApi, database, redis, admin, refused });
  await waitUntil('ingest is ready', async () => (await fetch(`http://127.0.0.1:${ingest.operationsPort}/readyz`)).ok);
  if (options.fanout !== false) {
    await platform.startFanout();
  }
  return platform;
}

/** Tests are one caller at one address, who asks much. */
export const openDoor: DoorConfig = {
  tokens: undefined,
  quotas: { perUser: 0, perService: 0, perAddress: 0 },
  trustedProxies: 0,
  corsOrigins: [],
  eventLoopDelayMaxMs: 0,
};

function settingsFor(options: PlatformOptions, servers: ServerUrls) {
  const name = `t${randomBytes(5).toString('hex')}`;
  const databaseUrl = new URL(servers.TIDELINE_DATABASE_URL);
  databaseUrl.pathname = `/tideline_${name}`;
  return {
    databaseUrl: databaseUrl.href,
    redisUrl: servers.TIDELINE_REDIS_URL,
    kafkaBrokers: servers.TIDELINE_KAFKA_BROKERS.split(','),
    namespace: name,
    logLevel: options.logLevel ?? process.env['TIDELINE_TEST_LOG_LEVEL'] ?? 'silent',
    listenHost: '127.0.0.1',
    demo: true,
    door: { ...openDoor, ...options.door },
    inboxCap: options.inboxCap ?? 500,
    followerThreshold: options.followerThreshold ?? 10_000,
    aggregation: options.aggregation ?? aggregationDefault,
    retentionDays: options.retentionDays ?? 0,
    pullCacheMs: options.pullCacheMs ?? 0,
    streamsMax: options.streamsMax ?? 100,
    partitionConcurrency: 4,
    followerCacheSizeMax: 100_000,
    verifyIntervalMs: options.verifyIntervalMs ?? 0,
    auditDays: 30,
    materializedIntervalMs: options.materializedIntervalMs ?? 0,
  };
}

function sharedServers(): ServerUrls {
  const urls = serverUrlsOf(process.env);
  if (urls === undefined) {
    throw new Error('No servers are set: run the tests with "npm test", which finds or starts them');
  }
  return urls;
}
