import { setTimeout as delay } from 'node:timers/promises';
import {
  type ActivityRecord,
  encodeRecord,
  type LogVersion,
  logKeyOf,
  recordHeaders,
  recordVersion,
} from '@tideline/shared/activity-record';
import { isDatabaseDown } from '@tideline/shared/database';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import type { LogGeneration } from '@tideline/shared/log-generation';
import type { Logger } from '@tideline/shared/logger';
import type { LaneRecord, SendBatch } from './lane.js';
import { acknowledgementDeadlineMs, Lanes, type LanesMetrics } from './lanes.js';

/**
 * The log as ingest writes it.
 *
 *   closed ──TimescaleDB says the generation, Kafka has as many partitions──► open, with lanes
 *
 * A watch looks every second: it opens the log as soon as both servers are there, and then tells whether Kafka is.
 */

/** A record may be larger than the body it came in, because numbers such as 1e20 are written out. */
export const recordSizeMaxBytes = 128 * 1024;
const watchIntervalDefaultMs = 1_000;

export interface ActivityLogMetrics extends LanesMetrics {
  observeLanes(depths: () => ReadonlyMap<number, number>): void;
}

interface OpenLog extends LogGeneration {
  lanes: Lanes;
}

export interface ActivityLogOptions {
  readGeneration(): Promise<LogGeneration>;
  /** How many partitions the topic has. Throws where Kafka cannot be asked. */
  readPartitions(): Promise<number>;
  send: SendBatch;
  metrics: ActivityLogMetrics;
  logger: Logger;
  watchIntervalMs?: number;
}

export class ActivityLog {
  readonly #options: ActivityLogOptions;
  readonly #closing = new AbortController();
  #open: OpenLog | undefined;
  #problem: string | undefined = 'the log was not looked at yet';
  #watching: Promise<void> = Promise.resolve();

  constructor(options: ActivityLogOptions) {
    this.#options = options;
    options.metrics.observeLanes(() => this.#open?.lanes.depths() ?? new Map());
  }

  /**
   * Looks once, then goes on watching. Resolves too where a server is away; throws `configuration` where set-up did not
   * run or the topic has another number of partitions than was recorded, because then keys would change partitions.
   */
  async start(): Promise<void> {
    const error = await this.#look();
    if (error?.code === 'configuration') {
      throw error;
    }
    this.#watching = this.#watch();
  }

  /** Why the log cannot be written, or undefined. */
  notReadyBecause(): string | undefined {
    if (this.#problem !== undefined) {
      return this.#problem;
    }
    const unacknowledgedMs = this.#open?.lanes.unacknowledgedMs() ?? 0;
    return unacknowledgedMs > acknowledgementDeadlineMs
      ? `Kafka has not acknowledged for ${Math.round(unacknowledgedMs / 1000)} s`
      : undefined;
  }

  /**
   * Writes records and resolves with the version of each (I1, I10), once all are acknowledged. Throws, with nothing
   * taken, `unavailable`, `overloaded` and `payload_too_large`; and `outcome_unknown`, with the ids, after 5 s.
   */
  async append(records: readonly ActivityRecord[], traceparent?: string): Promise<LogVersion[]> {
    if (this.#open === undefined || this.#closing.signal.aborted) {
      throw unavailable(`Writing is not possible now: ${this.#problem ?? 'shutting down'}.`);
    }
    const { generation, lanes } = this.#open;
    const positions = await lanes.append(records.map((record) => laneRecord(record, traceparent)));
    return positions.map(({ partition, offset }) => ({ generation, partition, offset }));
  }

  /** Takes nothing any more, and finishes what was taken for `drainTimeoutMs` at most. */
  async close(drainTimeoutMs: number): Promise<void> {
    this.#closing.abort();
    const [left = 0] = await Promise.all([this.#open?.lanes.drain(drainTimeoutMs), this.#watching]);
    if (left > 0) {
      this.#options.logger.error({ records: left }, 'records were not acknowledged; their callers know, and may retry');
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    const intervalMs = this.#options.watchIntervalMs ?? watchIntervalDefaultMs;
    while (!signal.aborted) {
      await delay(intervalMs, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) {
        await this.#look();
      }
    }
  }

  /** Says a change of state once, however many looks find the same. */
  async #look(): Promise<TidelineError | undefined> {
    try {
      const recorded = this.#open ?? (await this.#options.readGeneration());
      await this.#checkPartitions(recorded.partitions);
      this.#open ??= this.#withLanes(recorded);
      if (this.#problem !== undefined) {
        this.#options.logger.info('the log can be written');
      }
      this.#problem = undefined;
      return undefined;
    } catch (caught) {
      const error = asTidelineError(caught);
      if (this.#problem !== error.message) {
        this.#options.logger.warn({ err: caught }, `the log cannot be written: ${error.message}`);
      }
      this.#problem = error.message;
      return error;
    }
  }

  async #checkPartitions(recorded: number): Promise<void> {
    const found = await this.#options.readPartitions();
    if (found !== recorded) {
      throw new TidelineError('configuration', `The topic has ${found} partitions, but ${recorded} were set up.`);
    }
  }

  #withLanes({ generation, partitions }: LogGeneration): OpenLog {
    const { send, metrics } = this.#options;
    return { generation, partitions, lanes: new Lanes({ partitions, send, metrics }) };
  }
}

function laneRecord(record: ActivityRecord, traceparent: string | undefined): LaneRecord {
  const value = encodeRecord(record);
  if (value.length > recordSizeMaxBytes) {
    throw new TidelineError(
      'payload_too_large',
      `One activity takes at most ${recordSizeMaxBytes} bytes as it is stored.`,
    );
  }
  return {
    id: record.id,
    key: logKeyOf(record),
    value,
    headers: {
      [recordHeaders.version]: String(recordVersion),
      [recordHeaders.requestId]: record.requestId,
      ...(traceparent === undefined ? {} : { [recordHeaders.traceparent]: traceparent }),
    },
  };
}

function asTidelineError(error: unknown): TidelineError {
  if (error instanceof TidelineError) {
    return error;
  }
  if (isDatabaseDown(error)) {
    return unavailable('the database is not available', error);
  }
  return unavailable(error instanceof Error ? error.message : String(error), error);
}
