import type { ServerConfig } from '@tideline/shared/config';
import { activitiesTopic, deadLetterTopic } from '@tideline/shared/topics';
import { connectToKafka, topicResource } from '../setup/kafka-admin.js';

/** Nothing can be taken out of a topic: how long Kafka keeps records that may name the user. */
export interface RemainingRecords {
  topic: string;
  /** Milliseconds; below 0: for ever. */
  retentionMs: number;
  /** Milliseconds after which a segment is closed at the latest: only closed ones are dropped. */
  segmentMs: number;
  /** When the last of them are gone at the latest; null: never. */
  goneBy: Date | null;
}

export async function readRemainingRecords(config: ServerConfig, end: Date): Promise<RemainingRecords[]> {
  const admin = await connectToKafka(config.kafkaBrokers, 'tideline-erase');
  try {
    const names = [activitiesTopic(config.namespace), deadLetterTopic(config.namespace)];
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: topicResource, name })),
    });
    return resources.map(({ resourceName, configEntries }) => {
      const settingMs = (name: string) =>
        Number(configEntries.find(({ configName }) => configName === name)?.configValue ?? -1);
      const [retentionMs, segmentMs] = [settingMs('retention.ms'), settingMs('segment.ms')];
      const goneBy = retentionMs < 0 ? null : new Date(end.getTime() + retentionMs + Math.max(segmentMs, 0));
      return { topic: resourceName, retentionMs, segmentMs, goneBy };
    });
  } finally {
    await admin.disconnect();
  }
}
