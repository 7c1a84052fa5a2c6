import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@tideline/shared/logger';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { PartitionOwner } from '../delivery/partition-owner.js';
import type { FanoutMetrics } from '../metrics.js';
import { type BatchTools, workOnBatch } from './batch-worker.js';
import { OffsetCommits } from './offset-commits.js';

/** A consumer that is killed gives its partitions back after this. */
const sessionTimeoutMs = 10_000;
const heartbeatIntervalMs = 2_000;
const rebalanceTimeoutMs = 20_000;
/** Records of one transaction. */
const batchSizeMax = 2_000;
/**
 * A fetch holds 10 MB, kafkajs's default, and the next one waits until its batches are done. With a small share for each
 * partition a fetch has something of all of them, so that in a backlog they advance together and less comes late.
 */
const partitionBytesPerFetchMax = 512 * 1024;
/** How long Kafka holds a fetch that finds nothing; a stop waits for it. */
const fetchWaitMaxMs = 500;
const connectRetryDelayMs = 1_000;

export interface ActivityConsumerOptions {
  kafka: Kafka;
  topic: string;
  groupId: string;
  partitionConcurrency: number;
  tools: BatchTools;
  /** A partition that this process was assigned. */
  own: (partition: number) => PartitionOwner;
  metrics: FanoutMetrics;
  logger: Logger;
  /** Called once when the consumer cannot go on: the process should end and be started again. */
  onFatal: (reason: string) => void;
}

/**
 * The door from Kafka: a member of the consumer group that works on batches and has their offsets committed after
 * them, explicitly. kafkajs gives out partitions anew at every rebalance; each time all owners are made anew as well, so
 * that what is left of an earlier assignment keeps its old fence and is refused.
 */
export class ActivityConsumer {
  readonly #options: ActivityConsumerOptions;
  readonly #consumer: Consumer;
  readonly #commits: OffsetCommits;
  #owners = new Map<number, PartitionOwner>();
  #assigned: readonly number[] = [];
  #joined = false;
  #stopping = false;
  #running: Promise<void> | undefined;
  /** When a batch was last worked on, by `performance.now()`. */
  #lastActiveAt = performance.now();

  constructor(options: ActivityConsumerOptions) {
    this.#options = options;
    this.#commits = new OffsetCommits(options.topic, options.logger);
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      maxBytesPerPartition: partitionBytesPerFetchMax,
      maxWaitTimeInMs: fetchWaitMaxMs,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, restartOnFailure: async () => !this.#stopping },
    });
    const { GROUP_JOIN, CRASH, DISCONNECT, REBALANCING } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      this.#owners = new Map();
      this.#commits.forget();
      this.#assigned = payload.memberAssignment[options.topic] ?? [];
      this.#joined = true;
      options.logger.info({ partitions: this.#assigned }, 'partitions assigned');
    });
    for (const event of [DISCONNECT, REBALANCING, CRASH] as const) {
      this.#consumer.on(event, () => {
        this.#joined = false;
      });
    }
    this.#consumer.on(CRASH, ({ payload }) => {
      options.logger.error({ err: payload.error, restart: payload.restart }, 'the consumer crashed');
      if (!payload.restart && !this.#stopping) {
        options.onFatal(`the consumer cannot go on: ${payload.error.message}`);
      }
    });
  }

  get isJoined(): boolean {
    return this.#joined;
  }

  get assignedPartitions(): readonly number[] {
    return this.#assigned;
  }

  /** For how long no batch was worked on, in milliseconds. One that waits for a dependency counts as work. */
  get idleMs(): number {
    return performance.now() - this.#lastActiveAt;
  }

  /** Returns at once; goes on until Kafka answers. */
  start(): void {
    this.#running = this.#run();
  }

  /** Lets batches that run come to a point where they can stop, then leaves the group. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await this.#commits.close();
    await this.#consumer.disconnect();
  }

  async #run(): Promise<void> {
    const { topic, partitionConcurrency, logger } = this.#options;
    while (!this.#stopping) {
      try {
        await this.#consumer.connect();
        // Otherwise offsets that are out of range would skip to the end (#1453).
        await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
        await this.#consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: partitionConcurrency,
          eachBatch: (payload) => this.#eachBatch(payload),
        });
        return;
      } catch (error) {
        logger.warn({ err: (error as Error).message }, 'Kafka cannot be reached yet');
        await delay(connectRetryDelayMs);
      }
    }
  }

  async #eachBatch({
    batch,
    resolveOffset,
    commitOffsetsIfNecessary,
    heartbeat,
    isRunning,
    isStale,
  }: EachBatchPayload): Promise<void> {
    const owner = this.#ownerOf(batch.partition);
    const lease = {
      heartbeat: async () => {
        this.#lastActiveAt = performance.now();
        await heartbeat();
      },
      isCurrent: () => isRunning() && !isStale() && !this.#stopping,
    };
    for (const messages of inSlices(batch.messages)) {
      this.#options.metrics.batchTaken(messages.length);
      const outcome = await workOnBatch(this.#options.tools, owner, messages, lease);
      if (outcome === 'fenced') {
        await this.#leave(owner, lease.heartbeat);
      }
      const last = messages.at(-1);
      if (outcome !== 'done' || last === undefined) {
        break;
      }
      resolveOffset(last.offset);
      this.#commits.done(batch.partition, (BigInt(last.offset) + 1n).toString(), commitOffsetsIfNecessary);
      await lease.heartbeat();
    }
    if (this.#stopping) {
      // The consumer leaves the group once this returns.
      await this.#commits.close();
    }
  }

  #ownerOf(partition: number): PartitionOwner {
    let owner = this.#owners.get(partition);
    if (owner === undefined) {
      owner = this.#options.own(partition);
      this.#owners.set(partition, owner);
    }
    return owner;
  }

  /**
   * After another consumer took the fence. The heartbeat tells whether this one is still in the group: if not it
   * throws, and kafkajs joins again. If it is, the other one took the fence late and is gone, so a new owner takes it.
   */
  async #leave(owner: PartitionOwner, heartbeat: () => Promise<void>): Promise<void> {
    await delay(heartbeatIntervalMs);
    await heartbeat();
    if (this.#owners.get(owner.partition) === owner) {
      this.#owners.delete(owner.partition);
    }
  }
}

function* inSlices(messages: readonly KafkaMessage[]): Generator<readonly KafkaMessage[]> {
  for (let start = 0; start < messages.length; start += batchSizeMax) {
    yield messages.slice(start, start + batchSizeMax);
  }
}
