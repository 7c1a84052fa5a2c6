import { unavailable } from '@tideline/shared/errors';
import type { ReplayTools } from './replay-tools.js';

/** What of the log is to be read. */
export interface LogExtent {
  /** By partition the offset to end before: up to there fanout was done. Without partitions of which nothing is left to read. */
  upTo: Map<number, number>;
  /** How many offsets that is, and how many of them an interrupted replay has done. */
  records: number;
  done: number;
  /** Offsets that Kafka does not keep any more. */
  dropped: number;
}

export interface ExtentOptions {
  /** Begin anew, where one that was interrupted would be taken up. */
  again: boolean;
  /** Begin with what came at this time or later. */
  since?: Date | undefined;
}

/**
 * From where the last replay was interrupted, or else from the oldest record on, up to where fanout is: what is behind that it
 * will take in itself. Throws `unavailable`.
 */
export async function readExtent(tools: ReplayTools, { again, since }: ExtentOptions): Promise<LogExtent> {
  return withAdmin(tools, async (admin) => {
    if (again || since !== undefined) {
      await forgetProgress(admin, tools.replayGroup);
    }
    if (since !== undefined) {
      await beginAt(admin, tools, since);
    }
    const ends = await admin.fetchTopicOffsets(tools.topic);
    const delivered = await committedOffsets(admin, tools.topic, tools.fanoutGroup);
    const replayed = await committedOffsets(admin, tools.topic, tools.replayGroup);
    const extent: LogExtent = { upTo: new Map(), records: 0, done: 0, dropped: 0 };
    for (const { partition, low, high } of ends) {
      const first = Number(low);
      const end = Math.min(delivered.get(partition) ?? -1, Number(high));
      const position = Math.max(replayed.get(partition) ?? -1, first);
      extent.dropped += first;
      extent.records += Math.max(end - first, 0);
      extent.done += Math.max(Math.min(position, end) - first, 0);
      if (position < end) {
        extent.upTo.set(partition, end);
      }
    }
    return extent;
  });
}

/** The replay is through: the next one begins anew. */
export async function endExtent(tools: ReplayTools): Promise<void> {
  await withAdmin(tools, (admin) => forgetProgress(admin, tools.replayGroup));
}

type Admin = ReturnType<ReplayTools['kafka']['admin']>;

async function forgetProgress(admin: Admin, groupId: string): Promise<void> {
  const { groups } = await admin.listGroups();
  if (groups.some((group) => group.groupId === groupId)) {
    await admin.deleteGroups([groupId]);
  }
}

async function beginAt(admin: Admin, { topic, replayGroup }: ReplayTools, since: Date): Promise<void> {
  const partitions = await admin.fetchTopicOffsetsByTimestamp(topic, since.getTime());
  await admin.setOffsets({ groupId: replayGroup, topic, partitions });
}

async function committedOffsets(admin: Admin, topic: string, groupId: string): Promise<Map<number, number>> {
  const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
}

async function withAdmin<T>({ kafka, topic }: ReplayTools, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw unavailable(`Kafka does not say what ${topic} has: ${(error as Error).message}`, error);
  } finally {
    await admin.disconnect();
  }
}
