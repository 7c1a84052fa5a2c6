import { TidelineError, unavailable } from '@tideline/shared/errors';
import { createKafka } from '@tideline/shared/kafka-client';
import type { Logger } from '@tideline/shared/logger';
import kafkajs, { type Admin } from 'kafkajs';
import { beforeDeadline } from '../deadline.js';

const probeTimeoutMs = 3_000;

export interface TopicProbeOptions {
  brokers: string[];
  topic: string;
  logger: Logger;
}

/** Asks Kafka about the topic over a connection of its own, which the lanes do not hold up. */
export class TopicProbe {
  readonly #kafka: kafkajs.Kafka;
  readonly #topic: string;
  #admin: Admin | undefined;

  constructor({ brokers, topic, logger }: TopicProbeOptions) {
    this.#topic = topic;
    // One try a probe: the next probe is the retry. It says itself what is wrong, once and not at every try.
    this.#kafka = createKafka(
      { brokers, clientId: 'tideline-ingest-probe', logger },
      { retry: { retries: 0 }, logLevel: kafkajs.logLevel.NOTHING },
    );
  }

  /**
   * How many partitions the topic has. Throws `configuration` where it does not exist, `unavailable` where Kafka does
   * not answer within 3 s or a partition has no leader.
   */
  async partitions(): Promise<number> {
    const late = () => unavailable('Kafka does not answer');
    try {
      const leaders = await beforeDeadline(this.#leaders(), probeTimeoutMs, late);
      if (leaders.some((leader) => leader < 0)) {
        throw unavailable('a partition of the topic has no leader');
      }
      return leaders.length;
    } catch (error) {
      // After a failure the next probe starts from the configured brokers: the known ones may have moved. Closing is not
      // waited for, because it waits for the answer that did not come.
      void this.close();
      if (error instanceof TidelineError) {
        throw error;
      }
      if ((error as { type?: unknown }).type === 'UNKNOWN_TOPIC_OR_PARTITION') {
        throw new TidelineError(
          'configuration',
          `The topic ${this.#topic} does not exist: run "tideline setup" first.`,
        );
      }
      throw unavailable('Kafka is not available', error);
    }
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.disconnect().catch(() => undefined);
  }

  async #leaders(): Promise<number[]> {
    if (this.#admin === undefined) {
      this.#admin = this.#kafka.admin();
      await this.#admin.connect();
    }
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [this.#topic] });
    return (topics[0]?.partitions ?? []).map(({ leader }) => leader);
  }
}
