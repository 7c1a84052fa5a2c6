import { createKafka } from '@tideline/shared/kafka-client';
import type { Logger } from '@tideline/shared/logger';
import kafkajs, { type Producer } from 'kafkajs';
import { beforeDeadline } from '../deadline.js';
import type { LaneRecord } from './lane.js';

const retryDelayFirstMs = 100;
const retryDelayMaxMs = 1_000;
const disconnectTimeoutMs = 2_000;
const acksOfAll = -1;

export interface SharedProducerOptions {
  brokers: string[];
  topic: string;
  logger: Logger;
}

interface ProducerInUse {
  producer: Producer;
  connected: Promise<void>;
  outstanding: number;
}

/**
 * The idempotent producer that all lanes share: one, because each idle kafkajs producer polls every millisecond (#1751).
 *
 * kafkajs repeats a send by itself, with the same sequence numbers, so that nothing is doubled or reordered. It does
 * so practically for ever. Once it gives up nevertheless its sequence numbers cannot be trusted: the next send begins
 * a new producer, and the old one is closed when the last lane that waits for it has its answer.
 */
export class SharedProducer {
  readonly #options: SharedProducerOptions;
  readonly #kafka: kafkajs.Kafka;
  #current: ProducerInUse | undefined;
  #closed = false;

  constructor(options: SharedProducerOptions) {
    this.#options = options;
    this.#kafka = createKafka(
      { brokers: options.brokers, clientId: 'tideline-ingest', logger: options.logger },
      {
        // kafkajs cannot cancel a send. One that still looks for a broker after `close` waits here and is forgotten.
        brokers: () => (this.#closed ? new Promise<string[]>(() => undefined) : options.brokers),
        retry: {
          initialRetryTime: retryDelayFirstMs,
          maxRetryTime: retryDelayMaxMs,
          retries: Number.MAX_SAFE_INTEGER,
        },
      },
    );
  }

  /** Begins to connect, so that the first send need not. */
  open(): void {
    this.#inUse();
  }

  /** Sends to one partition. Returns the offset of the first record, below 0 where Kafka gave none. */
  async send(partition: number, records: readonly LaneRecord[]): Promise<number> {
    const inUse = this.#inUse();
    inUse.outstanding += 1;
    try {
      await inUse.connected;
      const [acknowledgement] = await inUse.producer.send({
        topic: this.#options.topic,
        acks: acksOfAll,
        messages: records.map(({ key, value, headers }) => ({ key, value, headers, partition })),
      });
      return Number(acknowledgement?.baseOffset ?? -1);
    } catch (error) {
      this.#options.logger.warn({ err: error, partition, records: records.length }, 'Kafka rejected a send');
      this.#retire(inUse);
      throw error;
    } finally {
      inUse.outstanding -= 1;
      this.#closeIfDone(inUse);
    }
  }

  /** What is being sent is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    const inUse = this.#current;
    this.#current = undefined;
    if (inUse !== undefined) {
      await this.#disconnect(inUse.producer);
    }
  }

  #inUse(): ProducerInUse {
    this.#current ??= this.#begin();
    return this.#current;
  }

  #begin(): ProducerInUse {
    const producer = this.#kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    const connected = producer.connect();
    // Every send sees the failure; without one there is nobody to see it.
    connected.catch(() => undefined);
    return { producer, connected, outstanding: 0 };
  }

  #retire(inUse: ProducerInUse): void {
    if (this.#current === inUse) {
      this.#current = undefined;
    }
  }

  #closeIfDone(inUse: ProducerInUse): void {
    if (this.#current !== inUse && inUse.outstanding === 0) {
      void this.#disconnect(inUse.producer);
    }
  }

  /** Never throws, and does not wait long for a broker that is silent. */
  async #disconnect(producer: Producer): Promise<void> {
    const late = () => new Error('the producer did not disconnect in time');
    await beforeDeadline(producer.disconnect(), disconnectTimeoutMs, late).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'a producer could not be closed');
    });
  }
}
