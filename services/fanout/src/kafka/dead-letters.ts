import type { LogVersion } from '@tideline/shared/activity-record';
import {
  connectHeaders,
  type DeadLetterStage,
  deadLetterHeaders,
  headersOfRecord,
} from '@tideline/shared/dead-letter-headers';
import { unavailable } from '@tideline/shared/errors';
import kafkajs, { type IHeaders, type Kafka, type KafkaMessage, type Message, type Producer } from 'kafkajs';

export interface DeadLetter {
  message: KafkaMessage;
  /** Where the record stands, or stood when it was given up first. */
  version: LogVersion;
  /** How often it was tried: 1, and more where it was replayed. */
  attempts: number;
  error: unknown;
  stage: DeadLetterStage;
}

export interface DeadLettersOptions {
  kafka: Kafka;
  topic: string;
  sourceTopic: string;
  groupId: string;
}

const { KafkaJSProtocolError } = kafkajs;

const messageLengthMax = 1_000;

/**
 * The topic of records that could not be applied. Connects at the first one: they are rare, and an idle producer of
 * kafkajs polls every millisecond (#1751).
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  #producer: Producer | undefined;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /**
   * Resolves once every in-sync replica has it; without its value, where the broker does not take that much: waiting would not
   * make it smaller, and the record is still where it stood. Throws `unavailable`.
   */
  async send(letter: DeadLetter): Promise<void> {
    const { key, value, headers } = letter.message;
    const message = { key, value, headers: { ...headersOfRecord(headers), ...this.#headersOf(letter) } };
    try {
      await this.#append(message).catch((error: unknown) => {
        if (!isTooLarge(error)) {
          throw error;
        }
        const omitted = { [deadLetterHeaders.omittedBytes]: String(value?.length ?? 0) };
        return this.#append({ key, value: null, headers: { ...this.#headersOf(letter), ...omitted } });
      });
    } catch (cause) {
      throw unavailable('the dead-letter topic cannot be written', cause);
    }
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect();
  }

  #headersOf({ version, attempts, error, stage }: DeadLetter): IHeaders {
    const { sourceTopic, groupId } = this.#options;
    const { generation, partition, offset } = version;
    const errorClass = error instanceof Error ? error.name : typeof error;
    const errorMessage = String(error instanceof Error ? error.message : error).slice(0, messageLengthMax);
    return {
      [deadLetterHeaders.topic]: sourceTopic,
      [deadLetterHeaders.generation]: String(generation),
      [deadLetterHeaders.partition]: String(partition),
      [deadLetterHeaders.offset]: String(offset),
      [deadLetterHeaders.attempts]: String(attempts),
      [deadLetterHeaders.stage]: stage,
      [deadLetterHeaders.errorClass]: errorClass,
      [deadLetterHeaders.errorMessage]: errorMessage,
      [connectHeaders.topic]: sourceTopic,
      [connectHeaders.partition]: String(partition),
      [connectHeaders.offset]: String(offset),
      [connectHeaders.connectorName]: groupId,
      [connectHeaders.stage]: stage === 'apply' ? 'TASK_PUT' : 'VALUE_CONVERTER',
      [connectHeaders.errorClass]: errorClass,
      [connectHeaders.errorMessage]: errorMessage,
    };
  }

  async #append(message: Message): Promise<void> {
    const producer = await this.#connected();
    await producer.send({ topic: this.#options.topic, acks: -1, messages: [message] });
  }

  async #connected(): Promise<Producer> {
    if (this.#producer === undefined) {
      const producer = this.#options.kafka.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      this.#producer = producer;
    }
    return this.#producer;
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof KafkaJSProtocolError && error.type === 'MESSAGE_TOO_LARGE';
}
