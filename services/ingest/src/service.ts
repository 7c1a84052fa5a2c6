import { activityIdMinter } from '@tideline/shared/activity-id';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { openDatabase } from '@tideline/shared/database';
import { documentRoutes } from '@tideline/shared/http/document-routes';
import { startHttpServer } from '@tideline/shared/http/http-server';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { createRegistry, httpMetrics } from '@tideline/shared/metrics';
import { findObject, readObjects } from '@tideline/shared/objects';
import { startOperationsServer } from '@tideline/shared/operations-server';
import { RetentionHorizon } from '@tideline/shared/retention-horizon';
import type { Service } from '@tideline/shared/run-service';
import { activitiesTopic } from '@tideline/shared/topics';
import type { IngestConfig } from './config.js';
import { beforeDeadline } from './deadline.js';
import { createApi, documentDescription } from './http/routes.js';
import { ActivityLog } from './kafka/activity-log.js';
import { SharedProducer } from './kafka/shared-producer.js';
import { TopicProbe } from './kafka/topic-probe.js';
import { ingestMetrics } from './metrics.js';

/** Requests need a connection for moments only: a key that is not remembered, a correction. */
const databasePoolSize = 8;
/** One after the other, together below the 15 s that a stop may take. */
const httpCloseTimeoutMs = 8_000;
const drainTimeoutMs = 3_000;
const disconnectTimeoutMs = 3_000;

export interface IngestService extends Service {
  httpPort: number;
  operationsPort: number;
}

/**
 * Starts ingest. It starts too where Kafka, Redis or the database are away, and works once they are there; `/readyz`
 * says so. Throws `configuration` where set-up did not run or a port is taken.
 */
export async function startIngest(config: IngestConfig): Promise<IngestService> {
  const logger = createLogger('ingest', config.logLevel);
  const registry = createRegistry('ingest');
  const metrics = ingestMetrics(registry);
  const topic = activitiesTopic(config.namespace);

  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-ingest',
    role: 'tideline_ingest',
    poolSize: databasePoolSize,
    logger,
  });
  const horizon = new RetentionHorizon(database);
  const epochs = cacheEpochStore(database);
  const cache = new Cache({ url: config.redisUrl, namespace: config.namespace, epochs, logger });
  const producer = new SharedProducer({ brokers: config.kafkaBrokers, topic, logger });
  const probe = new TopicProbe({ brokers: config.kafkaBrokers, topic, logger });
  const log = new ActivityLog({
    readGeneration: () => readLogGeneration(database, topic),
    readPartitions: () => probe.partitions(),
    send: (partition, records) => producer.send(partition, records),
    metrics,
    logger,
  });

  async function within(timeoutMs: number, what: string, work: Promise<unknown>): Promise<void> {
    const late = () => new Error(`not done within ${timeoutMs} ms`);
    await beforeDeadline(work, timeoutMs, late).catch((error: unknown) => {
      logger.warn({ err: error }, `stopping goes on without: ${what}`);
    });
  }

  async function release(): Promise<void> {
    await log.close(drainTimeoutMs);
    await horizon.stop();
    const disconnected = Promise.all([producer.close(), probe.close(), cache.close(), database.$pool.end()]);
    await within(disconnectTimeoutMs, 'closing every connection', disconnected);
  }

  const opened: { close(): Promise<void> }[] = [];
  try {
    producer.open();
    // Not waited for: with the database away it goes on trying, and only corrections need it.
    void cache.start();
    horizon.start();
    await log.start();
    const operations = await startOperationsServer({
      host: config.listenHost,
      port: config.operationsPort,
      registry,
      readiness: () => log.notReadyBecause(),
    });
    opened.push(operations);
    const api = createApi({
      log,
      horizon,
      database,
      cache,
      metrics,
      mintId: activityIdMinter(),
      readObjects: (references) => readObjects({ cache, database }, references),
      findObject: (id) => findObject({ cache, database }, id),
      logger,
    });
    const http = await startHttpServer({
      config,
      database,
      publicRoutes: documentRoutes(api, documentDescription),
      routes: api.router,
      metrics: httpMetrics(registry),
      logger,
    });
    logger.info({ httpPort: http.port, operationsPort: operations.port }, 'ingest listens');

    return {
      httpPort: http.port,
      operationsPort: operations.port,
      async stop() {
        operations.drain();
        await within(httpCloseTimeoutMs, 'finishing every request', http.close());
        await release();
        await operations.close();
      },
    };
  } catch (error) {
    await Promise.all(opened.map((server) => server.close()));
    await release();
    throw error;
  }
}
