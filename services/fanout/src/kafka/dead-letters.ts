import { unavailable } from '@tideline/shared/errors';
import type { Kafka, KafkaMessage, Producer } from 'kafkajs';
import type { DeadLetterStage } from '../metrics.js';

export interface DeadLetter {
  partition: number;
  message: KafkaMessage;
  error: unknown;
  stage: DeadLetterStage;
  generation: number;
}

const messageLengthMax = 1_000;

/**
 * The topic of records that could not be applied. Connects at the first one: they are rare, and an idle producer of
 * kafkajs polls every millisecond (#1751).
 */
export class DeadLetters {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #sourceTopic: string;
  #producer: Producer | undefined;

  constructor(kafka: Kafka, topic: string, sourceTopic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#sourceTopic = sourceTopic;
  }

  /** Resolves once every in-sync replica has it. Throws `unavailable`. */
  async send({ partition, message, error, stage, generation }: DeadLetter): Promise<void> {
    try {
      const producer = await this.#connected();
      await producer.send({
        topic: this.#topic,
        acks: -1,
        messages: [
          {
            key: message.key,
            value: message.value,
            headers: {
              ...message.headers,
              'tideline-topic': this.#sourceTopic,
              'tideline-generation': String(generation),
              'tideline-partition': String(partition),
              'tideline-offset': message.offset,
              'tideline-stage': stage,
              'tideline-error-class': error instanceof Error ? error.name : typeof error,
              'tideline-error-message': String(error instanceof Error ? error.message : error).slice(
                0,
                messageLengthMax,
              ),
              'tideline-attempts': '1',
            },
          },
        ],
      });
    } catch (cause) {
      throw unavailable('the dead-letter topic cannot be written', cause);
    }
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect();
  }

  async #connected(): Promise<Producer> {
    if (this.#producer === undefined) {
      const producer = this.#kafka.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      this.#producer = producer;
    }
    return this.#producer;
  }
}
