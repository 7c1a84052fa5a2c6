import { persistBatch, usersNamedBy } from '../storage/activity-writer.js';
import { cacheBodies } from './bodies.js';
import { cacheDescriptions, deliverContents, storedContents } from './content-delivery.js';
import { applyDeletes, applyFollowChanges, applyRelationChanges } from './corrections.js';
import type { Delivery } from './delivery.js';
import { writeContentResults, writeControlResults } from './delivery-results.js';
import { leaveOutErased } from './erased-records.js';
import { endKeptPages } from './kept-pages.js';
import { applyFollowNotifications } from './notifications.js';
import { recordPulledContents } from './pulled-news.js';
import { type LoggedRecord, positionOf, sortOut } from './record-batch.js';
import { crossThreshold } from './threshold-crossing.js';

/**
 * Brings records of one partition into TimescaleDB and Redis. The commit comes first, so that readers and rebuilds
 * find in the database whatever Redis is told of; every step can be repeated, and a batch that failed half way is
 * (I11). Throws `fenced` when the partition has another owner by now.
 */
export async function deliverBatch(delivery: Delivery, records: readonly LoggedRecord[]): Promise<void> {
  const { authors, metrics } = delivery;
  const kept = await leaveOutErased(delivery.database, delivery.hold.partition, delivery.erasedBelow, records);
  metrics.erasedLeftOut(records.length - kept.length);
  const batch = sortOut(kept);

  const persisted = await metrics.timed('persist', () =>
    persistBatch(delivery.database, delivery.hold, batch, delivery.knownUsers),
  );
  metrics.persisted(batch.contents.length - persisted.knownIds.size, persisted.knownIds.size);
  for (const userId of usersNamedBy(batch)) {
    delivery.knownUsers.set(userId, true);
  }
  await delivery.heartbeat();

  const contents = await storedContents(delivery, batch, persisted);
  const changed = await authors.followsChanged(persisted.follows);
  const actors = new Set(batch.contents.map(({ record }) => record.actorId));
  const loaded = await metrics.timed('followers', () => authors.load(actors));
  // At once, and on one connection the bodies are first: whoever is told of an id live finds its body. A reader that does
  // not reads it from the database.
  const [, delivered] = await Promise.all([
    metrics.timed('bodies', () => cacheBodies(delivery, batch, persisted)),
    metrics.timed('deliver', () => deliverContents(delivery, contents, loaded)),
    cacheDescriptions(delivery, batch),
    endKeptPages(delivery, batch),
  ]);
  await recordPulledContents(delivery, batch, persisted, contents, delivered);
  await metrics.timed('results', () => writeContentResults(delivery, batch, loaded, delivered));
  // What was replayed waited for an operator, and says nothing of how fresh feeds are.
  const inTurn = batch.contents.filter(({ replayedAt }) => replayedAt === undefined);
  metrics.contentsDelivered(inTurn.map(({ record }) => record.acceptedAt));

  await metrics.timed('follows', () => applyFollowChanges(delivery, persisted.follows));
  await metrics.timed('notifications', () => applyFollowNotifications(delivery, persisted.begunFollows));
  await metrics.timed('relations', () => applyRelationChanges(delivery, batch.relations));
  await metrics.timed('deletes', () => applyDeletes(delivery, batch.deletes));
  await writeControlResults(delivery, batch);
  const last = records.at(-1);
  if (last !== undefined) {
    const authorsNow = new Map([...loaded, ...changed]);
    await metrics.timed('threshold', () => crossThreshold(delivery, authorsNow, positionOf(last)));
  }
}
