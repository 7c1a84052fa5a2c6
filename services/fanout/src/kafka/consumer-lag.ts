import type { Logger } from '@tideline/shared/logger';
import type { Admin, Kafka } from 'kafkajs';
import type { FanoutMetrics } from '../metrics.js';

/** What the watch looks at. */
export interface WatchedConsumer {
  readonly assignedPartitions: readonly number[];
  readonly idleMs: number;
}

export interface ConsumerLagOptions {
  kafka: Kafka;
  topic: string;
  groupId: string;
  consumer: WatchedConsumer;
  metrics: FanoutMetrics;
  logger: Logger;
  onFatal: (reason: string) => void;
}

const intervalMs = 5_000;
/** A consumer that could have taken records for so long and did not will never take them. */
const stuckAfterMs = 30_000;

/** Measures the lag of the partitions this process was assigned, and notices a consumer that has gone quiet. */
export class ConsumerLag {
  readonly #options: ConsumerLagOptions;
  readonly #admin: Admin;
  #timer: NodeJS.Timeout | undefined;
  #measuring: Promise<void> = Promise.resolve();
  #connected = false;
  /** Since when every measurement has found lag, by `performance.now()`. */
  #waitingSince: number | undefined;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
    this.#admin = options.kafka.admin({ retry: { retries: 1 } });
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#measuring = this.#measure();
    }, intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#measuring;
    await this.#admin.disconnect();
  }

  async #measure(): Promise<void> {
    const { consumer, metrics } = this.#options;
    let total = 0;
    try {
      const lags = await this.#lags();
      metrics.lagForgotten();
      for (const partition of consumer.assignedPartitions) {
        const lag = lags.get(partition) ?? 0;
        metrics.lagMeasured(partition, lag);
        total += lag;
      }
    } catch (error) {
      this.#connected = false;
      this.#waitingSince = undefined;
      this.#options.logger.debug({ err: (error as Error).message }, 'lag cannot be measured');
      return;
    }
    this.#noticeStuck(total);
  }

  /** A consumer had nothing to take before there was lag, and could take nothing while Kafka was away. */
  #noticeStuck(total: number): void {
    const { consumer, onFatal } = this.#options;
    if (total === 0) {
      this.#waitingSince = undefined;
      return;
    }
    this.#waitingSince ??= performance.now();
    const idleMs = Math.min(consumer.idleMs, performance.now() - this.#waitingSince);
    if (idleMs > stuckAfterMs) {
      onFatal(`${total} records wait and none was taken for ${stuckAfterMs / 1000} s`);
    }
  }

  async #lags(): Promise<Map<number, number>> {
    const { topic, groupId } = this.#options;
    if (!this.#connected) {
      await this.#admin.connect();
      this.#connected = true;
    }
    const [ends, [committed]] = await Promise.all([
      this.#admin.fetchTopicOffsets(topic),
      this.#admin.fetchOffsets({ groupId, topics: [topic] }),
    ]);
    const done = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return new Map(
      // Without a commit yet (-1) all that is kept is waiting.
      ends.map(({ partition, high, low }) => [
        partition,
        Number(high) - Math.max(done.get(partition) ?? -1, Number(low)),
      ]),
    );
  }
}
