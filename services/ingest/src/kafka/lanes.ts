import { outcomeUnknown, TidelineError } from '@tideline/shared/errors';
import kafkajs from 'kafkajs';
import { beforeDeadline } from '../deadline.js';
import { Lane, type LaneMetrics, type LaneRecord, type SendBatch } from './lane.js';

/** How long a caller waits for the acknowledgement. Its record stays in the lane. */
export const acknowledgementDeadlineMs = 5_000;

/** Where a record stands on the topic. */
export interface LogPosition {
  partition: number;
  offset: number;
}

export interface LanesMetrics extends LaneMetrics {
  outcomeUnknown(): void;
}

export interface LanesOptions {
  partitions: number;
  send: SendBatch;
  metrics: LanesMetrics;
}

/** What of a request goes to one lane. */
interface Part {
  partition: number;
  lane: Lane;
  records: LaneRecord[];
  /** Where each record stands in the request. */
  places: number[];
}

/** The producer as a set of lanes, one a partition, chosen by the record's key as every Java producer would. */
export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #metrics: LanesMetrics;
  readonly #partitionOf: (key: string) => number;

  constructor({ partitions, send, metrics }: LanesOptions) {
    this.#lanes = Array.from({ length: partitions }, (_, partition) => new Lane(partition, send, metrics));
    this.#metrics = metrics;
    this.#partitionOf = partitionChooser(partitions);
  }

  /**
   * Resolves with the position of each record, once all are acknowledged. Records of one lane keep their order.
   * Throws `overloaded`, with nothing taken, where a lane is full; `outcome_unknown`, with the ids, after 5 s.
   */
  async append(records: readonly LaneRecord[]): Promise<LogPosition[]> {
    const parts = this.#partsOf(records);
    if (!parts.every(({ lane, records: ofLane }) => lane.hasRoomFor(ofLane))) {
      throw new TidelineError('overloaded', 'Too many writes wait for Kafka; nothing of this one was taken.', {
        retryable: true,
      });
    }
    const positions: LogPosition[] = [];
    const acknowledged = Promise.all(
      parts.map(async ({ partition, lane, records: ofLane, places }) => {
        for (const [nth, offset] of (await lane.append(ofLane)).entries()) {
          positions[places[nth] ?? 0] = { partition, offset };
        }
      }),
    );
    await beforeDeadline(acknowledged, acknowledgementDeadlineMs, () => {
      this.#metrics.outcomeUnknown();
      return outcomeUnknown('Kafka did not acknowledge in time: the outcome is unknown, retry with the same ids.', {
        details: { ids: records.map(({ id }) => id) },
      });
    });
    return positions;
  }

  /** Records that are not acknowledged yet, by partition. */
  depths(): Map<number, number> {
    return new Map(this.#lanes.map((lane, partition) => [partition, lane.depth]));
  }

  /** For how long the slowest batch has been unacknowledged. */
  unacknowledgedMs(): number {
    return Math.max(...this.#lanes.map((lane) => lane.unacknowledgedMs));
  }

  /** Finishes what waits, for `timeoutMs` at most. Returns how many records are left; they are not sent again. */
  async drain(timeoutMs: number): Promise<number> {
    const drained = Promise.all(this.#lanes.map((lane) => lane.drained()));
    await beforeDeadline(drained, timeoutMs, () => new Error('not drained')).catch(() => undefined);
    for (const lane of this.#lanes) {
      lane.abandon();
    }
    return this.#lanes.reduce((sum, lane) => sum + lane.depth, 0);
  }

  #partsOf(records: readonly LaneRecord[]): Part[] {
    const parts = new Map<number, Part>();
    for (const [place, record] of records.entries()) {
      const partition = this.#partitionOf(record.key);
      const part = parts.get(partition) ?? { partition, lane: this.#laneOf(partition), records: [], places: [] };
      part.records.push(record);
      part.places.push(place);
      parts.set(partition, part);
    }
    return [...parts.values()];
  }

  #laneOf(partition: number): Lane {
    const lane = this.#lanes[partition];
    if (lane === undefined) {
      throw new RangeError(`no lane ${partition}`);
    }
    return lane;
  }
}

/** kafkajs's default partitioner is the Java client's: murmur2 of the key. */
function partitionChooser(partitions: number): (key: string) => number {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  // Only the length of the list matters for a record with a key.
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return (key) => choose({ topic: 'any', partitionMetadata, message: { key, value: null } });
}
