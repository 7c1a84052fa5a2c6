import type { ActivityRecord } from '@tideline/shared/activity-record';
import { relationReaders } from '@tideline/shared/projections';
import { dropPullTokens } from '@tideline/shared/registers';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Ends the pages that readers keep for themselves, of everybody who did something or whom something was done about. */
export async function endKeptPages({ cache }: Delivery, batch: RecordBatch): Promise<void> {
  const users = new Set<string>();
  for (const { record } of [...batch.contents, ...batch.controls]) {
    users.add(record.actorId);
    for (const userId of alsoConcerned(record)) {
      users.add(userId);
    }
  }
  await cache.run(dropPullTokens(cache, users));
}

/** Whose pages show something else now, besides the actor's. */
function alsoConcerned(record: ActivityRecord): readonly string[] {
  switch (record.kind) {
    case 'delete':
      return [record.authorId];
    case 'user':
      return [record.objectId];
    case 'relation':
      return relationReaders(record);
    default:
      return [];
  }
}
