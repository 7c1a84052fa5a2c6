import { appendPulled } from '../inbox/pulled-log.js';
import type { StoredContent } from '../storage/activity-reader.js';
import type { PersistedBatch } from '../storage/activity-writer.js';
import { mergedAuthors } from '../storage/author-store.js';
import { storedFrom } from '../storage/stored-from.js';
import type { Delivered } from './content-delivery.js';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Tells those who watch what pulled authors did, once that is in their outboxes: no inbox gets it, so no inbox tells. */
export async function recordPulledContents(
  { cache, database, hold }: Delivery,
  batch: RecordBatch,
  { knownIds }: PersistedBatch,
  contents: readonly StoredContent[],
  delivered: ReadonlyMap<string, Delivered>,
): Promise<void> {
  const lazy = contents.filter(({ id, isDelivered }) => !isDelivered && delivered.get(id)?.strategy === 'lazy');
  const known = lazy.filter(({ id }) => knownIds.has(id)).map(({ id }) => id);
  // A batch that comes again may have been told of or not, which the script knows. What a producer sent again was.
  const redelivered = await storedFrom(database, known, batch.contents);
  await appendPulled(
    cache,
    hold,
    lazy
      .filter(({ id }) => !knownIds.has(id) || redelivered.has(id))
      .map(({ id, actorId }) => ({ kind: 'home_added', activityId: id, userId: actorId })),
  );
}

/** Tells those who watch what is gone of authors whose outboxes somebody merges. */
export async function recordPulledDeletes(
  { cache, database, hold }: Delivery,
  deleted: readonly Pick<StoredContent, 'id' | 'actorId'>[],
): Promise<void> {
  const merged = await mergedAuthors(
    database,
    deleted.map(({ actorId }) => actorId),
  );
  await appendPulled(
    cache,
    hold,
    deleted
      .filter(({ actorId }) => merged.has(actorId))
      .map(({ id, actorId }) => ({ kind: 'home_removed', activityId: id, userId: actorId })),
  );
}
