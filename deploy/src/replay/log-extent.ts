import { randomUUID } from 'node:crypto';
import { unavailable } from '@tideline/shared/errors';
import { replayGroup } from '@tideline/shared/topics';
import type { ReplayTools } from './replay-tools.js';

/** What of the log is to be read. */
export interface LogExtent {
  /** By partition the offset to begin with. Without partitions of which nothing is left to read, as the next. */
  from: Map<number, number>;
  /** By partition the offset to end before: up to there fanout was done. */
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
      await forgetReplayProgress(tools.client);
    }
    if (since !== undefined) {
      await beginAt(admin, tools, since);
    }
    const ends = await admin.fetchTopicOffsets(tools.topic);
    const delivered = await committedOffsets(admin, tools.topic, tools.fanoutGroup);
    const replayed = await readProgress(tools);
    const extent: LogExtent = { from: new Map(), upTo: new Map(), records: 0, done: 0, dropped: 0 };
    for (const { partition, low, high } of ends) {
      const first = Number(low);
      const end = Math.min(delivered.get(partition) ?? -1, Number(high));
      const position = Math.max(replayed.get(partition) ?? -1, first);
      extent.dropped += first;
      extent.records += Math.max(end - first, 0);
      extent.done += Math.max(Math.min(position, end) - first, 0);
      if (position < end) {
        extent.from.set(partition, position);
        extent.upTo.set(partition, end);
      }
    }
    return extent;
  });
}

/** Runs work with a consumer group that begins there, and removes it. Throws `unavailable`. */
export async function withReplayGroup<T>(
  tools: ReplayTools,
  { from }: Pick<LogExtent, 'from'>,
  work: (groupId: string) => Promise<T>,
): Promise<T> {
  // A group of its own each time: one that was killed would keep this one waiting. Kafka forgets what it left in some days.
  const groupId = `${replayGroup(tools.namespace)}.${randomUUID()}`;
  const partitions = Array.from(from, ([partition, offset]) => ({ partition, offset: String(offset) }));
  if (partitions.length > 0) {
    await withAdmin(tools, (admin) => admin.setOffsets({ groupId, topic: tools.topic, partitions }));
  }
  const result = await work(groupId);
  if (partitions.length > 0) {
    await withAdmin(tools, (admin) => admin.deleteGroups([groupId]));
  }
  return result;
}

const saveProgressSql = `
  insert into replay_progress (log_partition, log_generation, next_offset) values ($1, $2, $3)
  on conflict (log_partition) do update
  set log_generation = excluded.log_generation, next_offset = excluded.next_offset`;

/** Everything of the partition before `next` is done. */
export async function saveProgress(
  { database, generation }: Pick<ReplayTools, 'database' | 'generation'>,
  partition: number,
  next: number,
): Promise<void> {
  await database.none(saveProgressSql, [partition, generation, next]);
}

async function readProgress({ client, generation }: ReplayTools): Promise<Map<number, number>> {
  const { rows } = await client.query<{ partition: number; next: number }>(
    `select log_partition as partition, next_offset::float8 as next from replay_progress where log_generation = $1`,
    [generation],
  );
  return new Map(rows.map(({ partition, next }) => [partition, next]));
}

/** The next replay begins anew. */
export async function forgetReplayProgress(client: ReplayTools['client']): Promise<void> {
  await client.query('delete from replay_progress');
}

type Admin = ReturnType<ReplayTools['kafka']['admin']>;

async function beginAt(admin: Admin, tools: ReplayTools, since: Date): Promise<void> {
  for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(tools.topic, since.getTime())) {
    await saveProgress(tools, partition, Number(offset));
  }
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
