import type { Admin, Kafka } from 'kafkajs';
import { unavailable } from './errors.js';

/** A point of the log: by partition the offset that comes next. */
export type LogPoint = ReadonlyMap<number, number>;

export interface LogProgressOptions {
  kafka: Kafka;
  topic: string;
  groupId: string;
}

/**
 * How far a consumer group is. It commits an offset when everything below is done, not only read. Connects when first
 * asked. Throws `unavailable` where Kafka does not answer.
 */
export class LogProgress {
  readonly #options: LogProgressOptions;
  readonly #admin: Admin;
  #connected = false;

  constructor(options: LogProgressOptions) {
    this.#options = options;
    this.#admin = options.kafka.admin({ retry: { retries: 1 } });
  }

  /** The end of the log: all that was acknowledged before is below it. */
  async end(): Promise<LogPoint> {
    const offsets = await this.#ask((admin) => admin.fetchTopicOffsets(this.#options.topic));
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  }

  /** Whether the group is done with everything below the point. */
  async hasPassed(point: LogPoint): Promise<boolean> {
    const { topic, groupId } = this.#options;
    const [committed] = await this.#ask((admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
    const done = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    // A partition without a commit (-1) is done where it never had a record.
    return [...point].every(([partition, offset]) => offset === 0 || (done.get(partition) ?? -1) >= offset);
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }

  async #ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      if (!this.#connected) {
        await this.#admin.connect();
        this.#connected = true;
      }
      return await question(this.#admin);
    } catch (error) {
      this.#connected = false;
      throw unavailable(`Kafka does not answer: ${(error as Error).message}`, error);
    }
  }
}
