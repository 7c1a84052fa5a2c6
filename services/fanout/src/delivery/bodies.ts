import type { Activity } from '@tideline/shared/activity';
import type { PersistedBatch } from '../storage/activity-writer.js';
import type { Delivery } from './delivery.js';
import { activityOf, type RecordBatch } from './record-batch.js';

const bodyTtlS = 86_400;

/** Caches the bodies of new activities. Not of known ones: what is stored counts, and readers find it there. */
export async function cacheBodies(delivery: Delivery, batch: RecordBatch, { knownIds }: PersistedBatch): Promise<void> {
  const fresh = batch.contents.filter(({ record }) => !knownIds.has(record.id));
  await writeBodies(
    delivery,
    fresh.map(({ record }) => activityOf(record)),
  );
}

/** Keeps bodies at hand for readers. */
export async function writeBodies({ cache }: Delivery, activities: readonly Activity[]): Promise<void> {
  const { keys } = cache;
  await cache.writeMany(
    activities.map((activity) => ({ key: keys.body(activity.id), value: JSON.stringify(activity) })),
    bodyTtlS,
  );
}
