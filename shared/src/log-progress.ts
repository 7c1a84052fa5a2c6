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
    const done = offsetsDone(committed);
    // A partition without a commit (-1) is done where it never had a record.
    return [...point].every(([partition, offset]) => offset === 0 || (done.get(partition) ?? -1) >= offset);
  }

  /** By partition, how many records the group is not done with. Without a commit yet all that is kept is waiting. */
  async lags(): Promise<Map<number, number>> {
    const { topic, groupId } = this.#options;
    return this.#ask((admin) => readLags(admin, topic, groupId));
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

/** The same through an admin client that somebody holds already. */
export async function readLags(admin: Admin, topic: string, groupId: string): Promise<Map<number, number>> {
  const [ends, [committed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const done = offsetsDone(committed);
  return new Map(
    // Without a commit an offset is -1.
    ends.map(({ partition, high, low }) => [
      partition,
      Number(high) - Math.max(done.get(partition) ?? -1, Number(low)),
    ]),
  );
}

type CommittedOffsets = Awaited<ReturnType<Admin['fetchOffsets']>>[number];

function offsetsDone(committed: CommittedOffsets | undefined): Map<number, number> {
  return new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
}
