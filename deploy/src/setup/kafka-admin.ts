import { unavailable } from '@tideline/shared/errors';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';

export type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;

/** Kafka's number for topics among what has settings. */
export const topicResource = 2;

/** Some seconds, in which a broker may start. */
const retriesDefault = 5;

/** An admin client that is connected. Throws `unavailable` where no broker answers. */
export async function connectToKafka(brokers: string[], clientId: string, retries = retriesDefault): Promise<Admin> {
  const kafka = createKafka({ brokers, clientId, logger: createLogger(clientId, 'silent') });
  const admin = kafka.admin({ retry: { retries } });
  try {
    await admin.connect();
  } catch (error) {
    throw unavailable(`Kafka at ${brokers.join(', ')} does not answer: ${(error as Error).message}`, error);
  }
  return admin;
}
