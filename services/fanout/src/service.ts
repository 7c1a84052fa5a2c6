import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { requireAgreement } from '@tideline/shared/agreed-settings';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { onceDatabaseIsUp, openDatabase } from '@tideline/shared/database';
import { DatabaseProbe } from '@tideline/shared/database-probe';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { LogProgress } from '@tideline/shared/log-progress';
import { createLogger } from '@tideline/shared/logger';
import { createRegistry } from '@tideline/shared/metrics';
import { startOperationsServer } from '@tideline/shared/operations-server';
import type { Service } from '@tideline/shared/run-service';
import { activitiesTopic, deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';
import type { FanoutConfig } from './config.js';
import { PartitionOwner } from './delivery/partition-owner.js';
import { InboxWriter } from './inbox/inbox-writer.js';
import { ActivityConsumer } from './kafka/activity-consumer.js';
import { ConsumerLag } from './kafka/consumer-lag.js';
import { DeadLetters } from './kafka/dead-letters.js';
import { HomeRefresher } from './materialized/home-refresher.js';
import { fanoutMetrics } from './metrics.js';
import { RetentionKeeper } from './retention/retention-keeper.js';
import { AuditRetention } from './storage/audit-retention.js';
import { FeedPatrol } from './verify/feed-patrol.js';

const knownUsersMax = 200_000;
const refreshTimeoutMs = 600_000;

export interface FanoutService extends Service {
  operationsPort: number;
}

/**
 * Starts fanout. `onFatal` is called when it cannot go on and the process should be replaced.
 * Throws `configuration` where set-up did not run.
 */
export async function startFanout(config: FanoutConfig, onFatal: (reason: string) => void): Promise<FanoutService> {
  const logger = createLogger('fanout', config.logLevel);
  const registry = createRegistry('fanout');
  const metrics = fanoutMetrics(registry);
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-fanout',
    role: 'tideline_fanout',
    poolSize: config.partitionConcurrency + 3,
    logger,
  });
  const probe = new DatabaseProbe(database);
  const cache = new Cache({
    url: config.redisUrl,
    namespace: config.namespace,
    epochs: cacheEpochStore(database),
    logger,
  });
  const kafka = createKafka({ brokers: config.kafkaBrokers, clientId: 'tideline-fanout', logger });
  const topic = activitiesTopic(config.namespace);
  const groupId = fanoutGroup(config.namespace);

  let consumer: ActivityConsumer | undefined;
  const operations = await startOperationsServer({
    host: config.listenHost,
    port: config.operationsPort,
    registry,
    readiness: () => {
      if (!consumer?.isJoined) {
        return 'not in the consumer group';
      }
      if (!cache.isOpen()) {
        return 'Redis is not available';
      }
      return probe.isUp ? undefined : 'the database is not available';
    },
  });

  const { generation, partitions } = await onceDatabaseIsUp(async () => {
    const current = await readLogGeneration(database, topic);
    await requireAgreement(database, config);
    return current;
  }, logger);
  await cache.start();
  const inboxes = new InboxWriter({ cache, inboxCap: config.inboxCap });
  const deadLetters = new DeadLetters({
    kafka,
    topic: deadLetterTopic(config.namespace),
    sourceTopic: topic,
    groupId,
  });
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  consumer = new ActivityConsumer({
    kafka,
    topic,
    groupId,
    partitionConcurrency: config.partitionConcurrency,
    tools: {
      delivery: {
        database,
        cache,
        inboxes,
        followerThreshold: config.followerThreshold,
        metrics,
      },
      deadLetters,
      generation,
      metrics,
      logger,
    },
    own: (partition) => {
      metrics.partitionTaken();
      return new PartitionOwner(partition, {
        database,
        cache,
        inboxes,
        holder,
        followerCacheSizeMax: Math.ceil(config.followerCacheSizeMax / partitions),
        knownUsersMax: Math.ceil(knownUsersMax / partitions),
      });
    },
    metrics,
    logger,
    onFatal,
  });
  const lag = new ConsumerLag({ kafka, topic, groupId, consumer, metrics, logger, onFatal });
  const log = new LogProgress({ kafka, topic, groupId });
  const isFirst = () => consumer.isJoined && consumer.assignedPartitions.includes(0);
  const keeper = new RetentionKeeper({ database, days: config.retentionDays, isMine: isFirst, logger });
  // On a connection of its own, which nothing else has to wait for.
  const slowDatabase = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-fanout-refresh',
    role: 'tideline_fanout',
    poolSize: 1,
    statementTimeoutMs: refreshTimeoutMs,
    logger,
  });
  const refresher = new HomeRefresher({
    database: slowDatabase,
    intervalMs: config.materializedIntervalMs,
    isMine: isFirst,
    metrics,
    logger,
  });
  const patrol = new FeedPatrol({
    tools: { database, cache, log },
    intervalMs: config.verifyIntervalMs,
    isMine: isFirst,
    metrics,
    logger,
  });
  const auditRetention = new AuditRetention({ database, days: config.auditDays, logger });
  const housekeeping = [patrol, keeper, auditRetention, refresher];
  consumer.start();
  lag.start();
  for (const each of housekeeping) {
    each.start();
  }
  probe.start();

  return {
    operationsPort: operations.port,
    async stop() {
      operations.drain();
      await Promise.all(housekeeping.map((each) => each.stop()));
      await log.close();
      await consumer.stop();
      await lag.stop();
      await deadLetters.close();
      probe.stop();
      await cache.close();
      await Promise.all([database.$pool.end(), slowDatabase.$pool.end()]);
      await operations.close();
    },
  };
}
