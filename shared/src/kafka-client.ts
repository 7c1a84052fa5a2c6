import type { KafkaConfig, LogEntry } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Logger } from './logger.js';

const { Kafka, logLevel } = kafkajs;

const connectionTimeoutMs = 3_000;
/** Also bounds a produce request whose broker went silent. */
const requestTimeoutMs = 10_000;
const retryDelayFirstMs = 100;
const retryDelayMaxMs = 1_000;

export interface KafkaOptions {
  brokers: string[];
  clientId: string;
  logger: Logger;
}

/** A kafkajs client that logs through pino. Retries wait 1 s at most, so recovery follows a broker's return closely. */
export function createKafka(options: KafkaOptions, overrides: Partial<KafkaConfig> = {}): kafkajs.Kafka {
  return new Kafka({
    brokers: options.brokers,
    clientId: options.clientId,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: retryDelayFirstMs, maxRetryTime: retryDelayMaxMs },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => write(options.logger, entry),
    ...overrides,
  });
}

/** kafkajs calls every broken connection an error and then retries; here that is a warning. */
function write(logger: Logger, { namespace, label, log }: LogEntry): void {
  const { message, timestamp: _timestamp, logger: _name, stack: _stack, ...fields } = log;
  const level = label === 'ERROR' || label === 'WARN' ? 'warn' : 'debug';
  logger[level]({ ...fields, kafkajs: namespace }, message);
}
