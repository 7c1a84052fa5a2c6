import { setTimeout as delay } from 'node:timers/promises';
import { decodeRecord, recordHeaders } from '@tideline/shared/activity-record';
import { isDatabaseDown } from '@tideline/shared/database';
import { isTidelineError, TidelineError } from '@tideline/shared/errors';
import type { Logger } from '@tideline/shared/logger';
import { UnknownRecordVersionError } from '@tideline/shared/record-versions';
import type { KafkaMessage } from 'kafkajs';
import kafkajs from 'kafkajs';
import { deliverBatch } from '../delivery/deliver-batch.js';
import type { Delivery } from '../delivery/delivery.js';
import type { PartitionOwner } from '../delivery/partition-owner.js';
import type { LoggedRecord } from '../delivery/record-batch.js';
import type { DeadLetterStage, FanoutMetrics } from '../metrics.js';
import type { DeadLetters } from './dead-letters.js';

const { KafkaJSError } = kafkajs;

/** What is the same for every batch of a process. */
export interface BatchTools {
  delivery: Omit<Delivery, 'hold' | 'authors' | 'heartbeat'>;
  deadLetters: DeadLetters;
  generation: number;
  metrics: FanoutMetrics;
  logger: Logger;
}

/** The consumer's side of one batch. */
export interface BatchLease {
  heartbeat(): Promise<void>;
  /** False once the consumer stops or the partition was taken away. */
  isCurrent(): boolean;
}

/**
 * done: everything is applied or dead-lettered, so the offset may be committed. released: nothing may be committed,
 * because the consumer stops. fenced: another consumer took the partition.
 */
export type BatchOutcome = 'done' | 'released' | 'fenced';

const retryDelayFirstMs = 50;
const retryDelayMaxMs = 2_000;

/**
 * Works on records of one partition until all are applied (design, section 4). A dependency that is away is waited for,
 * with heartbeats, as long as it takes. A record that cannot be applied is found by halving and dead-lettered alone.
 * Errors of kafkajs pass through: they mean that the group has to be joined again.
 */
export async function workOnBatch(
  tools: BatchTools,
  owner: PartitionOwner,
  messages: readonly KafkaMessage[],
  lease: BatchLease,
): Promise<BatchOutcome> {
  const records: LoggedMessage[] = [];
  for (const message of messages) {
    try {
      records.push({ ...decode(tools.generation, owner.partition, message), message });
    } catch (error) {
      const stage = error instanceof UnknownRecordVersionError ? 'version' : 'decode';
      const outcome = await deadLetter(tools, owner.partition, message, error, stage, lease);
      if (outcome !== 'done') {
        return outcome;
      }
    }
  }
  return applyOrIsolate(tools, owner, records, lease);
}

interface LoggedMessage extends LoggedRecord {
  message: KafkaMessage;
}

function decode(generation: number, partition: number, message: KafkaMessage): LoggedRecord {
  return { record: decodeRecord(message.value), version: { generation, partition, offset: Number(message.offset) } };
}

async function applyOrIsolate(
  tools: BatchTools,
  owner: PartitionOwner,
  records: readonly LoggedMessage[],
  lease: BatchLease,
): Promise<BatchOutcome> {
  const [first] = records;
  if (first === undefined) {
    return 'done';
  }
  try {
    return await untilAvailable(tools, lease, () => apply(tools, owner, records, lease), owner);
  } catch (error) {
    if (error instanceof KafkaJSError) {
      throw error;
    }
    if (records.length === 1) {
      return deadLetter(tools, owner.partition, first.message, error, 'apply', lease);
    }
    const middle = Math.ceil(records.length / 2);
    const outcome = await applyOrIsolate(tools, owner, records.slice(0, middle), lease);
    return outcome === 'done' ? applyOrIsolate(tools, owner, records.slice(middle), lease) : outcome;
  }
}

async function apply(
  tools: BatchTools,
  owner: PartitionOwner,
  records: readonly LoggedRecord[],
  lease: BatchLease,
): Promise<void> {
  const startedAt = performance.now();
  const hold = await owner.hold();
  await deliverBatch({ ...tools.delivery, hold, authors: owner.authors, heartbeat: lease.heartbeat }, records);
  tools.logger.info(
    {
      partition: owner.partition,
      firstOffset: records[0]?.version.offset,
      lastOffset: records.at(-1)?.version.offset,
      records: records.length,
      // All of them: by its id a request is followed from its own line to the batch that its records were in.
      requestIds: [...new Set(records.map(({ record }) => record.requestId))],
      ms: Math.round(performance.now() - startedAt),
    },
    'batch delivered',
  );
}

async function deadLetter(
  tools: BatchTools,
  partition: number,
  message: KafkaMessage,
  error: unknown,
  stage: DeadLetterStage,
  lease: BatchLease,
): Promise<BatchOutcome> {
  const requestId = message.headers?.[recordHeaders.requestId]?.toString();
  tools.logger.error(
    { err: error, partition, offset: message.offset, requestId, stage },
    'record goes to the dead letters',
  );
  const outcome = await untilAvailable(tools, lease, () =>
    tools.deadLetters.send({ partition, message, error, stage, generation: tools.generation }),
  );
  if (outcome === 'done') {
    tools.metrics.deadLettered(stage);
  }
  return outcome;
}

/** Repeats work while what it needs is away. Throws what repeating will not mend. */
async function untilAvailable(
  { metrics, logger }: BatchTools,
  lease: BatchLease,
  work: () => Promise<void>,
  owner?: PartitionOwner,
): Promise<BatchOutcome> {
  for (let delayMs = retryDelayFirstMs; ; ) {
    if (!lease.isCurrent()) {
      return 'released';
    }
    try {
      await work();
      return 'done';
    } catch (error) {
      if (isTidelineError(error, 'fenced')) {
        logger.warn({ err: error.message }, 'fenced');
        return 'fenced';
      }
      const reason = reasonToRetry(error);
      if (reason === undefined) {
        throw error;
      }
      metrics.batchRetried(reason);
      logger.warn({ err: (error as Error).message, reason, delayMs }, 'batch waits for what it needs');
      await delay(delayMs);
      await lease.heartbeat();
      if (reason === 'cache_refused') {
        // Redis is there, and knows the epoch and the fence again in a moment.
        owner?.announceAgain();
      } else {
        delayMs = Math.min(delayMs * 2, retryDelayMaxMs);
      }
    }
  }
}

/** The retry table: our own errors know, the database's are known by SQLSTATE, and nothing else is retried. */
function reasonToRetry(error: unknown): string | undefined {
  if (error instanceof TidelineError) {
    return error.retryable ? error.code : undefined;
  }
  return isDatabaseDown(error) ? 'database' : undefined;
}
