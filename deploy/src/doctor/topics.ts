import { activitiesTopic, deadLetterTopic } from '@tideline/shared/topics';
import type pg from 'pg';
import { type Admin, topicResource } from '../setup/kafka-admin.js';
import { type Examination, fault, warning } from './examination.js';

/** Lanes send up to 512 KiB and one record more, of 128 KiB at most. */
const messageBytesMin = 700 * 1024;
/** Kafka's number for settings that were made on a topic itself. */
const setOnTopic = 1;
const replicatedBrokers = 3;

interface Topic {
  name: string;
  partitions: { leader: number; replicas: number[]; isr: number[] }[];
  settings: Settings;
}

interface Setting {
  value: string;
  /** Of the topic itself, not of the broker or by default. */
  isOwn: boolean;
}

type Settings = ReadonlyMap<string, Setting>;

/** Whether both topics are there and keep what they are given. Returns those that are. */
export async function examineTopics(
  { database, kafka }: { database: pg.Client | undefined; kafka: Admin },
  namespace: string,
  examination: Examination,
): Promise<ReadonlySet<string>> {
  const existing = new Set(await kafka.listTopics());
  const { brokers } = await kafka.describeCluster();
  const [activities, deadLetters] = [activitiesTopic(namespace), deadLetterTopic(namespace)];
  for (const name of [activities, deadLetters]) {
    examination.check(
      existing.has(name),
      fault('topic_missing', `Kafka has no topic ${name}.`, `Run \`npx tideline setup\`.`),
    );
    if (existing.has(name)) {
      const topic = await describeTopic(kafka, name);
      examineReplicas(topic, brokers.length, examination);
      examineDurability(topic, examination);
      examineKeeping(topic, examination);
    }
  }
  if (existing.has(activities) && database !== undefined) {
    await examinePartitions(database, await describeTopic(kafka, activities), examination);
  }
  return existing;
}

async function describeTopic(kafka: Admin, name: string): Promise<Topic> {
  const [{ topics }, { resources }] = await Promise.all([
    kafka.fetchTopicMetadata({ topics: [name] }),
    kafka.describeConfigs({ includeSynonyms: false, resources: [{ type: topicResource, name }] }),
  ]);
  const entries = resources[0]?.configEntries ?? [];
  return {
    name,
    partitions: topics[0]?.partitions ?? [],
    settings: new Map(
      entries.map(({ configName, configValue, configSource }) => [
        configName,
        { value: configValue, isOwn: Number(configSource) === setOnTopic },
      ]),
    ),
  };
}

async function examinePartitions(database: pg.Client, topic: Topic, examination: Examination): Promise<void> {
  const { rows } = await database.query<{ partitions: number }>(
    'select partitions from log_generations where topic = $1 order by generation desc limit 1',
    [topic.name],
  );
  const recorded = rows[0]?.partitions;
  examination.check(
    recorded === topic.partitions.length,
    fault(
      'topic_partitions',
      `The topic ${topic.name} has ${topic.partitions.length} partitions, and was set up with ${recorded ?? 'none'}: an author's activities are in two partitions, in no order.`,
      'Partitions cannot be taken away again, and more need a new generation of the log: stop ingest, let fanout catch up, delete the topic, and run `npx tideline setup`.',
    ),
  );
}

function examineReplicas({ name, partitions, settings }: Topic, brokers: number, examination: Examination): void {
  const factor = Math.min(...partitions.map(({ replicas }) => replicas.length));
  const inSync = Math.min(...partitions.map(({ isr }) => isr.length));
  const needed = Number(settings.get('min.insync.replicas')?.value);
  examination.check(
    partitions.every(({ leader }) => leader >= 0),
    fault('topic_offline', `Partitions of the topic ${name} have no leader.`, 'Start the brokers that have them.'),
  );
  examination.check(
    inSync >= factor,
    warning(
      'topic_under_replicated',
      `Partitions of the topic ${name} have ${inSync} of ${factor} copies in sync.`,
      'Start the brokers that are away, or see why they are behind.',
    ),
  );
  examination.check(
    factor > 1 || brokers < replicatedBrokers,
    warning(
      'topic_not_replicated',
      `There are ${brokers} brokers, and one copy of the topic ${name}: with its broker's disk it is lost.`,
      'Reassign its partitions to three brokers (kafka-reassign-partitions.sh), and set min.insync.replicas to 2.',
    ),
  );
  examination.check(
    needed <= factor,
    fault(
      'topic_min_insync',
      `The topic ${name} takes nothing: min.insync.replicas is ${needed}, and there are ${factor} copies.`,
      `Set min.insync.replicas to ${Math.max(1, factor - 1)}.`,
    ),
  );
  examination.check(
    factor === 1 || needed > 1,
    fault(
      'topic_min_insync',
      `What is acknowledged on the topic ${name} may be on one of ${factor} brokers only: min.insync.replicas is ${needed}.`,
      `Set min.insync.replicas to ${Math.max(2, factor - 1)}.`,
    ),
  );
  examination.check(
    factor === 1 || needed !== factor,
    warning(
      'topic_min_insync',
      `The topic ${name} takes nothing while one broker is away: min.insync.replicas is ${needed}, as many as there are copies.`,
      `Set min.insync.replicas to ${factor - 1}.`,
    ),
  );
}

function examineDurability({ name, settings }: Topic, examination: Examination): void {
  const unclean = settings.get('unclean.leader.election.enable')?.value;
  examination.check(
    unclean === 'false',
    fault(
      'topic_unclean_election',
      `A broker that was behind may lead the topic ${name} (unclean.leader.election.enable): what was acknowledged would be gone.`,
      'Set unclean.leader.election.enable to false.',
    ),
  );
  const policy = settings.get('cleanup.policy')?.value;
  examination.check(
    policy === 'delete',
    fault(
      'topic_cleanup_policy',
      `The topic ${name} has cleanup.policy ${policy}: of each author only the last record would stay.`,
      'Set cleanup.policy to delete.',
    ),
  );
  const bytesMax = Number(settings.get('max.message.bytes')?.value);
  examination.check(
    bytesMax >= messageBytesMin,
    fault(
      'topic_message_bytes',
      `The topic ${name} takes batches of ${bytesMax} bytes at most, and ingest sends up to ${messageBytesMin}.`,
      'Set max.message.bytes to 1048588, which is what Kafka has by default.',
    ),
  );
}

function examineKeeping({ name, settings }: Topic, examination: Examination): void {
  const retention = settings.get('retention.ms');
  examination.check(
    retention?.isOwn === true,
    warning(
      'topic_retention_implicit',
      `How long the topic ${name} keeps records is not set for it: what the brokers do by default decides how late fanout may be.`,
      `Set retention.ms of the topic, to ${retention?.value} for what is now.`,
    ),
  );
  const bytes = Number(settings.get('retention.bytes')?.value ?? -1);
  examination.check(
    bytes < 0,
    warning(
      'topic_retention_bytes',
      `The topic ${name} drops what is beyond ${bytes} bytes a partition, however young: fanout may not have read it.`,
      'Set retention.bytes to -1.',
    ),
  );
}
