import type { ActivityRecord } from '@tideline/shared/activity-record';
import { encodeFanoutResult, type FanoutResult, fanoutResultTtlS } from '@tideline/shared/fanout-results';
import type { Author } from './author-cache.js';
import type { Delivered } from './content-delivery.js';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Says of each content of the batch how it was delivered. What was said at an earlier delivery stays. */
export async function writeContentResults(
  delivery: Delivery,
  { contents }: RecordBatch,
  authors: ReadonlyMap<string, Author>,
  delivered: ReadonlyMap<string, Delivered>,
): Promise<void> {
  const results = contents.map(({ record }) => {
    // One that was deleted before it could be delivered went nowhere.
    const { strategy, followers } = delivered.get(record.id) ?? { strategy: 'fanout', followers: 0 };
    return { record, strategy, followers: authors.get(record.actorId)?.followerCount ?? 0, delivered: followers };
  });
  await write(delivery, results);
}

/** Says of each other record that somebody waits for that it is applied. */
export async function writeControlResults(delivery: Delivery, { controls }: RecordBatch): Promise<void> {
  const awaited = controls.filter(({ record }) => record.awaited === true);
  await write(
    delivery,
    awaited.map(({ record }) => ({ record, strategy: 'fanout', followers: 0, delivered: 0 })),
  );
}

interface RecordResult extends Pick<FanoutResult, 'strategy' | 'followers' | 'delivered'> {
  record: ActivityRecord;
}

async function write({ cache }: Delivery, results: readonly RecordResult[]): Promise<void> {
  const { keys } = cache;
  const deliveredAt = Date.now();
  const entries = results.map(({ record, ...result }) => ({
    key: keys.fanoutResult(record.id),
    value: encodeFanoutResult({ ...result, publishedAt: record.acceptedAt, deliveredAt }),
  }));
  await cache.writeMany(entries, fanoutResultTtlS, 'nothing');
}
