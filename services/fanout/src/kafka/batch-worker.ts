import { setTimeout as delay } from 'node:timers/promises';
import { decodeRecord, recordHeaders } from '@tideline/shared/activity-record';
import { isDatabaseDown } from '@tideline/shared/database';
import { type DeadLetterStage, digestOfValue } from '@tideline/shared/dead-letter-headers';
import { isTidelineError, TidelineError } from '@tideline/shared/errors';
import type { Logger } from '@tideline/shared/logger';
import type { KafkaMessage } from 'kafkajs';
import kafkajs from 'kafkajs';
import { deliverBatch } from '../delivery/deliver-batch.js';
import type { Delivery } from '../delivery/delivery.js';
import type { PartitionOwner } from '../delivery/partition-owner.js';
import { type LoggedRecord, positionOf } from '../delivery/record-batch.js';
import type { FanoutMetrics } from '../metrics.js';
import { isDecided } from '../storage/dead-letter-decisions.js';
import type { DeadLetters } from './dead-letters.js';
import { type Arrival, arrivedAt, asReplayed, saysReplayed, stageOf } from './replays.js';

const { KafkaJSError } = kafkajs;

/** What is the same for every batch of a process. */
export interface BatchTools {
  delivery: Omit<Delivery, 'hold' | 'authors' | 'knownUsers' | 'erasedBelow' | 'heartbeat'>;
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
  const records: ArrivedRecord[] = [];
  for (const message of messages) {
    const place = { generation: tools.generation, partition: owner.partition, offset: Number(message.offset) };
    const outcome = await takeIn(tools, arrivedAt(place, message), lease, records);
    if (outcome !== 'done') {
      return outcome;
    }
  }
  return applyOrIsolate(tools, owner, records, lease);
}

interface ArrivedRecord extends LoggedRecord, Arrival {}

/** Adds the record of a message to `records`, or sends it to the dead letters. */
async function takeIn(
  tools: BatchTools,
  arrived: Arrival,
  lease: BatchLease,
  records: ArrivedRecord[],
): Promise<BatchOutcome> {
  let arrival = arrived;
  try {
    if (saysReplayed(arrived)) {
      const outcome = await untilAvailable(tools, lease, async () => {
        arrival = await asReplayed(tools.delivery.database, arrived);
      });
      if (outcome !== 'done') {
        return outcome;
      }
    }
    records.push({ ...arrival, record: decodeRecord(arrival.message.value) });
    return 'done';
  } catch (error) {
    if (error instanceof KafkaJSError) {
      throw error;
    }
    return deadLetter(tools, arrival, error, stageOf(error, 'decode'), lease);
  }
}

async function applyOrIsolate(
  tools: BatchTools,
  owner: PartitionOwner,
  records: readonly ArrivedRecord[],
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
      return deadLetter(tools, first, error, stageOf(error, 'apply'), lease);
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
  const { authors, knownUsers, erasedBelow } = owner;
  await deliverBatch(
    { ...tools.delivery, hold, authors, knownUsers, erasedBelow, heartbeat: lease.heartbeat },
    records,
  );
  tools.logger.info(
    {
      partition: owner.partition,
      firstOffset: offsetOf(records[0]),
      lastOffset: offsetOf(records.at(-1)),
      records: records.length,
      // All of them: by its id a request is followed from its own line to the batch that its records were in.
      requestIds: [...new Set(records.map(({ record }) => record.requestId))],
      ms: Math.round(performance.now() - startedAt),
    },
    'batch delivered',
  );
}

function offsetOf(logged: LoggedRecord | undefined): number | undefined {
  return logged === undefined ? undefined : positionOf(logged).offset;
}

async function deadLetter(
  tools: BatchTools,
  { message, version, replayedAt, attempts }: Arrival,
  error: unknown,
  stage: DeadLetterStage,
  lease: BatchLease,
): Promise<BatchOutcome> {
  const requestId = message.headers?.[recordHeaders.requestId]?.toString();
  const about = { err: error, version, replayedAt, attempts, requestId, stage };
  return untilAvailable(tools, lease, async () => {
    // One that is read again, as when the log is replayed, is no news to the operator who had it replayed or discarded.
    if (await isDecided(tools.delivery.database, version, digestOfValue(message.value), attempts)) {
      tools.logger.info(about, 'record went to the dead letters before, and somebody has decided about it');
      return;
    }
    tools.logger.error(about, 'record goes to the dead letters');
    await tools.deadLetters.send({ message, version, attempts, error, stage });
    tools.metrics.deadLettered(stage);
  });
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
