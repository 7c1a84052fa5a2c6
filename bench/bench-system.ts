import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import type { ServerConfig } from '@tideline/shared/config';
import { type Database, openDatabase } from '@tideline/shared/database';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLags } from '@tideline/shared/log-progress';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, fanoutGroup } from '@tideline/shared/topics';
import { HttpClient } from '@tideline/testing/http-client';
import type { MetricsPage } from '@tideline/testing/metrics-page';
import { findServers } from '@tideline/testing/servers';
import { waitUntil } from '@tideline/testing/wait-until';
import { type Installation, type InstallationSettings, install, uninstall } from './installation.js';
import { ServiceProcess } from './service-processes.js';

const lagTimeoutMs = 600_000;

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;

interface Parts {
  installation: Installation;
  ingest: ServiceProcess;
  feedApi: ServiceProcess;
  database: Database;
  cache: Cache;
  admin: Admin;
}

/** Tideline as in production, each service a process, on real servers and apart from every other one that uses them. */
export class BenchSystem {
  readonly ingest: HttpClient;
  readonly feedApi: HttpClient;
  readonly database: Database;
  readonly cache: Cache;
  readonly #parts: Parts;
  #fanout: ServiceProcess | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.ingest = new HttpClient(parts.ingest.httpPort);
    this.feedApi = new HttpClient(parts.feedApi.httpPort);
    this.database = parts.database;
    this.cache = parts.cache;
  }

  async startFanout(): Promise<ServiceProcess> {
    this.#fanout = await ServiceProcess.start('fanout', this.#parts.installation);
    return this.#fanout;
  }

  async stopFanout(): Promise<void> {
    await this.#fanout?.stop();
    this.#fanout = undefined;
  }

  /** Kills it without a warning, and starts it again where it was. */
  async killFeedApi(): Promise<void> {
    await this.#parts.feedApi.kill();
    this.#parts.feedApi = await ServiceProcess.start('feed-api', this.#parts.installation, this.#parts.feedApi.ports);
  }

  /** Where its servers are, for tools that connect by themselves. */
  get serverConfig(): ServerConfig {
    const { installation } = this.#parts;
    return {
      databaseUrl: installation.TIDELINE_DATABASE_URL,
      redisUrl: installation.TIDELINE_REDIS_URL,
      kafkaBrokers: installation.TIDELINE_KAFKA_BROKERS.split(','),
      namespace: installation.TIDELINE_NAMESPACE,
      logLevel: 'warn',
      demo: true,
    };
  }

  ingestMetrics(): Promise<MetricsPage> {
    return this.#parts.ingest.metrics();
  }

  /** How many records fanout has not committed yet. */
  async lag(): Promise<number> {
    const { admin, installation } = this.#parts;
    const { TIDELINE_NAMESPACE: namespace } = installation;
    const lags = await readLags(admin, activitiesTopic(namespace), fanoutGroup(namespace));
    return [...lags.values()].reduce((sum, lag) => sum + lag, 0);
  }

  async caughtUp(): Promise<void> {
    await waitUntil('fanout has caught up', async () => (await this.lag()) === 0, lagTimeoutMs);
  }

  async stop(): Promise<void> {
    const { ingest, feedApi, database, cache, admin, installation } = this.#parts;
    await Promise.all([ingest.stop(), feedApi.stop(), this.stopFanout()]);
    await Promise.all([database.$pool.end(), admin.disconnect()]);
    await uninstall(installation, cache);
    await cache.close();
  }
}

/** Finds or starts servers, runs the bench on a system of its own there, and removes whatever it made. */
export async function withBenchSystem(
  bench: (system: BenchSystem) => Promise<void>,
  settings: Partial<InstallationSettings> = {},
): Promise<void> {
  const servers = await findServers(process.env);
  try {
    const system = await startSystem(
      await install(servers.urls, { inboxCap: 500, followerThreshold: 10_000, ...settings }),
    );
    try {
      await bench(system);
    } finally {
      await system.stop();
    }
  } finally {
    await servers.release();
  }
}

async function startSystem(installation: Installation): Promise<BenchSystem> {
  const { TIDELINE_NAMESPACE: namespace } = installation;
  const logger = createLogger('bench', 'warn');
  const database = openDatabase({
    url: installation.TIDELINE_DATABASE_URL,
    applicationName: 'tideline-bench',
    role: 'login',
    poolSize: 2,
    logger,
  });
  const cache = new Cache({
    url: installation.TIDELINE_REDIS_URL,
    namespace,
    epochs: cacheEpochStore(database),
    logger,
  });
  const brokers = installation.TIDELINE_KAFKA_BROKERS.split(',');
  const admin = createKafka({ brokers, clientId: 'tideline-bench', logger }).admin();
  const [ingest, feedApi] = await Promise.all([
    ServiceProcess.start('ingest', installation),
    ServiceProcess.start('feed-api', installation),
    cache.start(),
    admin.connect(),
  ]);
  return new BenchSystem({ installation, ingest, feedApi, database, cache, admin });
}
