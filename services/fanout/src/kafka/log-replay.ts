import { setTimeout as delay } from 'node:timers/promises';
import { decodeRecord } from '@tideline/shared/activity-record';
import { type Database, isDatabaseDown, type Queryable } from '@tideline/shared/database';
import { type DeadLetterStage, deadLetterStages } from '@tideline/shared/dead-letter-headers';
import { isTidelineError, TidelineError, unavailable } from '@tideline/shared/errors';
import type { LogPoint } from '@tideline/shared/log-progress';
import { isRefused } from '@tideline/shared/refusals';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import kafkajs from 'kafkajs';
import { LRUCache } from 'lru-cache';
import type { LoggedRecord } from '../delivery/record-batch.js';
import { type StoreAgainOptions, storeAgain } from '../storage/stored-again.js';
import { type Arrival, arrivedAt, asReplayed, saysReplayed, stageOf } from './replays.js';

const { KafkaJSError } = kafkajs;

/** Records of one transaction, which is done well within a session. */
const sliceSizeMax = 1_000;
/** A replay that was killed keeps the next one waiting for so long. */
const sessionTimeoutMs = 20_000;
/** The topic is read without a pause; where nothing comes for so long, Kafka does not answer. */
const silenceMaxMs = 60_000;
const knownUsersMax = 200_000;
const attemptsMax = 5;
const retryDelayMs = 200;
/** So many of the records that were left out are named. */
const examplesMax = 10;

export interface LogReplayOptions {
  kafka: Kafka;
  database: Database;
  topic: string;
  /** Whose offsets say where to begin, and are committed behind what is done. */
  groupId: string;
  generation: number;
  /** By partition the offset to end before. A partition that is not here is left alone. */
  upTo: LogPoint;
  /** In each transaction that brought something back. */
  onStored(transaction: Queryable): Promise<void>;
  /** After the first of them. */
  onFirstStored(): Promise<void>;
  /** Everything of a partition before `next` is done. */
  onTaken(partition: number, next: number): Promise<void>;
  onProgress(read: number): void;
  /** Stops between two transactions, and rejects with its reason. */
  signal: AbortSignal;
}

export interface LogReplayReport {
  read: number;
  /** What the event store did not have, and has now. */
  stored: number;
  /** Records that cannot be applied, by where that shows: dead letters of before. */
  leftOut: Record<DeadLetterStage, number>;
  /** Some of them: `partition:offset: why`. */
  examples: string[];
}

/**
 * Reads the log again, and has the event store have all of it that fanout would have stored. Nothing that is there already is
 * written, and nothing is delivered. One transaction at a time. Throws `unavailable` where Kafka or the database do not answer;
 * called again it goes on where its group is.
 */
export async function replayLog(options: LogReplayOptions): Promise<LogReplayReport> {
  const replay = new LogReplay(options);
  await replay.run();
  return replay.report;
}

class LogReplay {
  readonly report: LogReplayReport = {
    read: 0,
    stored: 0,
    leftOut: Object.fromEntries(deadLetterStages.map((stage) => [stage, 0])) as Record<DeadLetterStage, number>,
    examples: [],
  };
  readonly #options: LogReplayOptions;
  readonly #consumer: Consumer;
  readonly #waiting: Set<number>;
  readonly #knownUsers = new LRUCache<string, true>({ max: knownUsersMax });
  #silence: NodeJS.Timeout | undefined;
  #end: (error?: unknown) => void = () => undefined;

  constructor(options: LogReplayOptions) {
    this.#options = options;
    this.#waiting = new Set(options.upTo.keys());
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: sessionTimeoutMs,
      allowAutoTopicCreation: false,
    });
  }

  async run(): Promise<void> {
    if (this.#waiting.size === 0) {
      return;
    }
    const ended = new Promise<void>((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
    });
    // It may be rejected before anybody waits for it.
    ended.catch(() => undefined);
    this.#consumer.on(this.#consumer.events.CRASH, ({ payload }) =>
      this.#end(unavailable(`The topic cannot be read: ${payload.error.message}`, payload.error)),
    );
    const { signal } = this.#options;
    signal.addEventListener('abort', () => this.#end(signal.reason));
    this.#silence = setTimeout(
      () => this.#end(unavailable('Kafka gives no records, though there are some.')),
      silenceMaxMs,
    );
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [this.#options.topic], fromBeginning: true });
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.#eachBatch(payload),
      });
      await ended;
    } finally {
      clearTimeout(this.#silence);
      await this.#consumer.disconnect();
    }
  }

  async #eachBatch({ batch, resolveOffset, commitOffsetsIfNecessary, heartbeat }: EachBatchPayload): Promise<void> {
    const { topic, upTo, signal, onProgress } = this.#options;
    const { partition } = batch;
    const end = upTo.get(partition) ?? 0;
    this.#silence?.refresh();
    try {
      const messages = batch.messages.filter(({ offset }) => Number(offset) < end);
      for (let start = 0; start < messages.length; start += sliceSizeMax) {
        signal.throwIfAborted();
        const slice = messages.slice(start, start + sliceSizeMax);
        await this.#takeSlice(partition, slice);
        const last = slice.at(-1)?.offset ?? '';
        resolveOffset(last);
        const next = Number(last) + 1;
        await untilAvailable(() => this.#options.onTaken(partition, next));
        await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset: String(next) }] }] });
        await heartbeat();
        this.#silence?.refresh();
        this.report.read += slice.length;
        onProgress(this.report.read);
      }
    } catch (error) {
      if (error instanceof KafkaJSError) {
        // The group has to be joined again, and begins behind what was committed.
        throw error;
      }
      this.#end(error);
      return;
    }
    if (Number(batch.lastOffset()) >= end - 1) {
      this.#consumer.pause([{ topic, partitions: [partition] }]);
      this.#waiting.delete(partition);
    }
    if (this.#waiting.size === 0) {
      this.#end();
    }
  }

  async #takeSlice(partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const records: LoggedRecord[] = [];
    for (const message of messages) {
      const place = { generation: this.#options.generation, partition, offset: Number(message.offset) };
      try {
        records.push(await untilAvailable(() => this.#decoded(arrivedAt(place, message))));
      } catch (error) {
        this.#leaveOut(place, error, 'decode');
      }
    }
    await this.#storeOrIsolate(partition, records);
  }

  async #decoded(arrived: Arrival): Promise<LoggedRecord> {
    const arrival = saysReplayed(arrived) ? await asReplayed(this.#options.database, arrived) : arrived;
    return { ...arrival, record: decodeRecord(arrival.message.value) };
  }

  /** As fanout does, where one record is refused: by halving. */
  async #storeOrIsolate(partition: number, records: readonly LoggedRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) {
      return;
    }
    const isFirst = this.report.stored === 0;
    const store: StoreAgainOptions = { ...this.#options, partition, knownUsers: this.#knownUsers };
    try {
      this.report.stored += await untilAvailable(() => storeAgain(store, records));
    } catch (error) {
      if (endsReplay(error)) {
        throw error;
      }
      if (records.length === 1) {
        this.#leaveOut(first.replayedAt ?? first.version, error, 'apply');
        return;
      }
      const middle = Math.ceil(records.length / 2);
      await this.#storeOrIsolate(partition, records.slice(0, middle));
      await this.#storeOrIsolate(partition, records.slice(middle));
      return;
    }
    if (isFirst && this.report.stored > 0) {
      await this.#options.onFirstStored();
    }
  }

  #leaveOut(
    { partition, offset }: { partition: number; offset: number },
    error: unknown,
    stage: DeadLetterStage,
  ): void {
    if (endsReplay(error)) {
      throw error;
    }
    this.report.leftOut[stageOf(error, stage)] += 1;
    if (this.report.examples.length < examplesMax) {
      this.report.examples.push(`${partition}:${offset}: ${(error as Error).message}`);
    }
  }
}

/** What was lost in a race, or is away for a moment, is tried again. Throws `unavailable`, `configuration`, or what repeating will not mend. */
async function untilAvailable<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (isRefused(error)) {
        throw new TidelineError('configuration', `The database refuses: ${error.message}.`, { cause: error });
      }
      if (!isDatabaseDown(error)) {
        throw error;
      }
      if (attempt === attemptsMax) {
        throw unavailable(`The database does not answer: ${(error as Error).message}`, error);
      }
      await delay(retryDelayMs * attempt);
    }
  }
}

/** Not the fault of a record. */
function endsReplay(error: unknown): boolean {
  return isTidelineError(error, 'unavailable') || isTidelineError(error, 'configuration');
}
