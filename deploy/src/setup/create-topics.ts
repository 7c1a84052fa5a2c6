import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { activitiesTopic, deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';
import type pg from 'pg';
import { raiseEpochs } from '../replay/missing-events.js';
import type { SetUpConfig } from './config.js';
import { type Admin, connectToKafka } from './kafka-admin.js';
import type { Report } from './report.js';

const dayMs = 24 * 60 * 60 * 1000;
export const retentionMs = 7 * dayMs;
/** Longer: somebody has to look at them. */
export const deadLetterRetentionMs = 30 * dayMs;

/** A letter is a record, which may be as large as a broker takes by default (1 MiB), and its headers. */
export const letterSizeMaxBytes = 2 * 1024 * 1024;

const leadersTimeoutMs = 30_000;
const leadersPollMs = 20;
const notYet: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);

type TopicsConfig = Pick<SetUpConfig, 'kafkaBrokers' | 'namespace' | 'partitions' | 'replicationFactor'>;

/** Creates both topics where they are missing, and records which generation of the log begins with that (I1). */
export async function createTopics(client: pg.Client, config: TopicsConfig, report: Report): Promise<void> {
  await withAdmin(config.kafkaBrokers, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const topic = activitiesTopic(config.namespace);
    if (existing.has(topic)) {
      const partitions = await partitionsOf(admin, topic);
      await recordExisting(client, topic, partitions, () => recordsDelivered(admin, topic, config.namespace), report);
      if (partitions !== config.partitions) {
        report(
          `the topic ${topic} keeps its ${partitions} partitions: TIDELINE_PARTITIONS counts at its creation only`,
        );
      }
    } else {
      // Recorded first: offsets begin anew with the topic, and must never be taken for those of the generation before.
      const generation = await beginGeneration(client, topic, config.partitions);
      await createTopic(admin, topic, config.partitions, { 'retention.ms': retentionMs }, config.replicationFactor);
      report(`created the topic ${topic}: ${config.partitions} partitions, generation ${generation}`);
    }
    const deadLetters = deadLetterTopic(config.namespace);
    if (!existing.has(deadLetters)) {
      const settings = { 'retention.ms': deadLetterRetentionMs, 'max.message.bytes': letterSizeMaxBytes };
      await createTopic(admin, deadLetters, 1, settings, config.replicationFactor);
      report(`created the topic ${deadLetters}`);
    }
  });
}

/** Deletes both topics. */
export async function deleteTopics(config: Pick<TopicsConfig, 'kafkaBrokers' | 'namespace'>): Promise<void> {
  await withAdmin(config.kafkaBrokers, async (admin) => {
    const existing = await admin.listTopics();
    const topics = [activitiesTopic(config.namespace), deadLetterTopic(config.namespace)];
    await admin.deleteTopics({ topics: topics.filter((topic) => existing.includes(topic)) });
  });
}

async function withAdmin(brokers: string[], work: (admin: Admin) => Promise<void>): Promise<void> {
  const admin = await connectToKafka(brokers, 'tideline-setup');
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function createTopic(
  admin: Admin,
  topic: string,
  numPartitions: number,
  ownSettings: Record<string, number>,
  replicationFactor: number,
): Promise<void> {
  const settings = {
    ...ownSettings,
    // One replica may be away without stopping writes; an acknowledged record survives the loss of another.
    'min.insync.replicas': Math.max(1, replicationFactor - 1),
    'unclean.leader.election.enable': false,
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value: String(value) }));
  try {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions, replicationFactor, configEntries }],
    });
  } catch (error) {
    throw new TidelineError('configuration', `Kafka did not create the topic ${topic}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  await waitForLeaders(admin, topic);
}

/**
 * Resolves once every partition can be written. kafkajs has this too (`waitForLeaders`), but fails where a broker has
 * not heard of the new topic yet.
 */
async function waitForLeaders(admin: Admin, topic: string): Promise<void> {
  const deadline = performance.now() + leadersTimeoutMs;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))) {
        return;
      }
    } catch (error) {
      if (!notYet.has(typeOf(error))) {
        throw error;
      }
    }
    if (performance.now() > deadline) {
      throw unavailable(`Kafka created the topic ${topic}, but no broker leads all of its partitions.`);
    }
    await delay(leadersPollMs);
  }
}

/** Kafka's name of an error; kafkajs wraps what it has retried often enough. */
function typeOf(error: unknown): string {
  const { type, cause } = error as { type?: string; cause?: { type?: string } };
  return type ?? cause?.type ?? '';
}

/** kafkajs puts the broker's answers about single topics into a list. */
function reasonOf(error: unknown): string {
  const { errors, message } = error as { errors?: Error[]; message: string };
  return errors?.map((each) => each.message).join('; ') ?? message;
}

async function partitionsOf(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

async function recordExisting(
  client: pg.Client,
  topic: string,
  partitions: number,
  countDelivered: () => Promise<number>,
  report: Report,
): Promise<void> {
  const { rows } = await client.query<{ partitions: number }>(
    'select partitions from log_generations where topic = $1 order by generation desc limit 1',
    [topic],
  );
  const recorded = rows[0]?.partitions;
  if (recorded === undefined) {
    const delivered = await countDelivered();
    await beginGeneration(client, topic, partitions, delivered > 0);
    if (delivered > 0) {
      report(
        `the topic ${topic} has ${delivered} records that an earlier database took in, and this one is new: feeds are closed until \`tideline replay\` has brought back what Kafka keeps`,
      );
    }
  } else if (recorded !== partitions) {
    throw new TidelineError(
      'configuration',
      `The topic ${topic} has ${partitions} partitions, but ${recorded} when it was set up: its records would get versions that cannot be compared. It would have to be drained first, which is not supported yet.`,
    );
  }
}

/** What fanout will not read again. */
async function recordsDelivered(admin: Admin, topic: string, namespace: string): Promise<number> {
  const [group] = await admin.fetchOffsets({ groupId: fanoutGroup(namespace), topics: [topic] });
  return group?.partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0) ?? 0;
}

/** `eventsAreMissing`: the database is new, and the log is not. Of one that has had a log before, nothing changes by this. */
async function beginGeneration(
  client: pg.Client,
  topic: string,
  partitions: number,
  eventsAreMissing = false,
): Promise<number> {
  await client.query('begin');
  try {
    const { rows } = await client.query<{ generation: number }>(
      `insert into log_generations (generation, topic, partitions)
       select coalesce(max(generation), 0) + 1, $1, $2 from log_generations
       returning generation`,
      [topic, partitions],
    );
    const generation = rows[0]?.generation ?? 0;
    if (eventsAreMissing) {
      await client.query(`select close_feeds('the database is newer than the log')`);
      await client.query(raiseEpochs);
    } else if (generation === 1) {
      await client.query('select open_feeds()');
    }
    await client.query('commit');
    return generation;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
