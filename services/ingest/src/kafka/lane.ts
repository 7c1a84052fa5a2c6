import { setTimeout as delay } from 'node:timers/promises';

/**
 * A lane brings records to one partition, in order and without loss (I10; design section 4 has what was measured).
 *
 *   append ──► waiting, bounded ──► one batch of what waits ──► one outstanding send ──► offsets
 *                                        ▲                              │
 *                                        └── rejected, or no offset ────┘  the same batch again, after a pause
 *
 * What a lane has taken it sends until it is acknowledged, whether or not somebody still waits for it.
 */

export const laneLimits = {
  /** What a lane holds at most, the batch being sent included. Small enough that every lane full fits into memory. */
  recordsMax: 10_000,
  sizeMaxBytes: 16 * 1024 * 1024,
  /** With one more record of the largest size (`recordSizeMaxBytes`) still below the 1 MiB that a broker takes. */
  batchRecordsMax: 500,
  batchSizeMaxBytes: 512 * 1024,
  retryDelayFirstMs: 100,
  retryDelayMaxMs: 1_000,
} as const;

/** A record ready for Kafka. `id` is for messages only. */
export interface LaneRecord {
  id: string;
  key: string;
  value: Buffer;
  headers: Record<string, string>;
}

/** Sends to one partition and gives the offset of the first record. It may reject; below 0 is no acknowledgement. */
export type SendBatch = (partition: number, records: readonly LaneRecord[]) => Promise<number>;

export interface LaneMetrics {
  batchAcknowledged(records: number, seconds: number): void;
  sendRejected(): void;
}

interface WaitingRecord {
  record: LaneRecord;
  acknowledged(offset: number): void;
}

export class Lane {
  readonly #partition: number;
  readonly #send: SendBatch;
  readonly #metrics: LaneMetrics;
  readonly #waiting: WaitingRecord[] = [];
  #sizeBytes = 0;
  #sendingSince: number | undefined;
  #running: Promise<void> = Promise.resolve();
  #abandoned = false;

  constructor(partition: number, send: SendBatch, metrics: LaneMetrics) {
    this.#partition = partition;
    this.#send = send;
    this.#metrics = metrics;
  }

  /** Records that are not acknowledged yet. */
  get depth(): number {
    return this.#waiting.length;
  }

  /** For how long the batch that is being sent has been unacknowledged; 0 where none is. */
  get unacknowledgedMs(): number {
    return this.#sendingSince === undefined ? 0 : performance.now() - this.#sendingSince;
  }

  hasRoomFor(records: readonly LaneRecord[]): boolean {
    return (
      this.#waiting.length + records.length <= laneLimits.recordsMax &&
      this.#sizeBytes + sizeOf(records) <= laneLimits.sizeMaxBytes
    );
  }

  /** Takes records and resolves with their offsets, in the same order, once all are acknowledged. Never rejects. */
  append(records: readonly LaneRecord[]): Promise<number[]> {
    const idle = this.#waiting.length === 0;
    this.#sizeBytes += sizeOf(records);
    const offsets = records.map(
      (record) =>
        new Promise<number>((acknowledged) => {
          this.#waiting.push({ record, acknowledged });
        }),
    );
    if (idle) {
      this.#running = this.#run();
    }
    return Promise.all(offsets);
  }

  /** Resolves once nothing waits any more. */
  drained(): Promise<void> {
    return this.#running;
  }

  /** Stops sending again what is rejected: the process ends, and the callers were told that the outcome is unknown. */
  abandon(): void {
    this.#abandoned = true;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      const records = batch.map(({ record }) => record);
      const baseOffset = await this.#sendUntilAcknowledged(records);
      if (baseOffset === undefined) {
        return;
      }
      this.#waiting.splice(0, batch.length);
      this.#sizeBytes -= sizeOf(records);
      for (const [index, { acknowledged }] of batch.entries()) {
        acknowledged(baseOffset + index);
      }
    }
  }

  #nextBatch(): WaitingRecord[] {
    let sizeBytes = 0;
    let count = 0;
    for (const { record } of this.#waiting) {
      sizeBytes += record.value.length;
      if (count > 0 && (count === laneLimits.batchRecordsMax || sizeBytes > laneLimits.batchSizeMaxBytes)) {
        break;
      }
      count += 1;
    }
    return this.#waiting.slice(0, count);
  }

  /** The offset of the first record, or undefined after `abandon`. */
  async #sendUntilAcknowledged(records: readonly LaneRecord[]): Promise<number | undefined> {
    this.#sendingSince = performance.now();
    let retryDelayMs: number = laneLimits.retryDelayFirstMs;
    while (!this.#abandoned) {
      const startedAt = performance.now();
      const offset = await this.#send(this.#partition, records).catch(() => -1);
      if (offset >= 0) {
        this.#sendingSince = undefined;
        this.#metrics.batchAcknowledged(records.length, (performance.now() - startedAt) / 1000);
        return offset;
      }
      this.#metrics.sendRejected();
      await delay(retryDelayMs);
      retryDelayMs = Math.min(retryDelayMs * 2, laneLimits.retryDelayMaxMs);
    }
    return undefined;
  }
}

function sizeOf(records: readonly LaneRecord[]): number {
  return records.reduce((bytes, { value }) => bytes + value.length, 0);
}
