import { dropPullTokens } from '@tideline/shared/registers';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Ends the pages that readers keep for themselves, of everybody who did something or whom something was done about. */
export async function endKeptPages({ cache }: Delivery, batch: RecordBatch): Promise<void> {
  const users = new Set<string>();
  for (const { record } of [...batch.contents, ...batch.controls]) {
    users.add(record.actorId);
    if (record.kind === 'delete') {
      users.add(record.authorId);
    } else if (record.kind === 'user') {
      users.add(record.objectId);
    }
  }
  await cache.run(dropPullTokens(cache, users));
}
