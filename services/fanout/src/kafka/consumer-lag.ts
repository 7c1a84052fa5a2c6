import { LogProgress, type LogProgressOptions } from '@tideline/shared/log-progress';
import type { Logger } from '@tideline/shared/logger';
import type { FanoutMetrics } from '../metrics.js';

/** What the watch looks at. */
export interface WatchedConsumer {
  readonly assignedPartitions: readonly number[];
  readonly idleMs: number;
}

export interface ConsumerLagOptions extends LogProgressOptions {
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
  readonly #log: LogProgress;
  #timer: NodeJS.Timeout | undefined;
  #measuring: Promise<void> = Promise.resolve();
  /** Since when every measurement has found lag, by `performance.now()`. */
  #waitingSince: number | undefined;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
    this.#log = new LogProgress(options);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#measuring = this.#measure();
    }, intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#measuring;
    await this.#log.close();
  }

  async #measure(): Promise<void> {
    const { consumer, metrics } = this.#options;
    let total = 0;
    try {
      const lags = await this.#log.lags();
      metrics.lagForgotten();
      for (const partition of consumer.assignedPartitions) {
        const lag = lags.get(partition) ?? 0;
        metrics.lagMeasured(partition, lag);
        total += lag;
      }
    } catch (error) {
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
}
