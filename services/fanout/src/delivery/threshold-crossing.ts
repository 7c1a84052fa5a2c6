import type { LogVersion } from '@tideline/shared/activity-record';
import { dropRegisters } from '@tideline/shared/registers';
import { type AuthorState, beginToPull, setAuthorMode } from '../storage/author-store.js';
import { followerPages } from '../storage/follower-store.js';
import type { Delivery } from './delivery.js';

/** An author comes back to push only well below the threshold, or a few followers would make it cross all day. */
const hysteresis = 0.9;

/**
 * Moves authors between push and pull (I7).
 *
 *   push ──more followers than the threshold──► to_pull ──every follower's register is told──► pull
 *   pull ──fewer than 90 % of it──► push, with a watermark
 *
 * In to_pull the author is still pushed while readers begin to merge, so nothing is missed, and readers dedupe. A
 * crossing that was begun by an earlier owner is finished here, because to_pull is seen like any other state.
 *
 * `delivered` is the last record that is delivered, with all before it: what of them comes again is not delivered in the
 * new mode.
 */
export async function crossThreshold(
  delivery: Delivery,
  authors: ReadonlyMap<string, AuthorState>,
  delivered: LogVersion,
): Promise<void> {
  const { followerThreshold } = delivery;
  for (const [authorId, { mode, followerCount }] of authors) {
    if (mode === 'to_pull' || (mode === 'push' && followerCount > followerThreshold)) {
      await toPull(delivery, authorId, delivered);
    } else if (mode === 'pull' && followerCount < followerThreshold * hysteresis) {
      await toPush(delivery, authorId, delivered);
    }
  }
}

async function toPull(delivery: Delivery, authorId: string, delivered: LogVersion): Promise<void> {
  const { database, cache, hold, heartbeat, authors, metrics } = delivery;
  await beginToPull(database, hold, authorId);
  for await (const followers of followerPages(database, authorId)) {
    await cache.run(dropRegisters(cache, followers));
    await heartbeat();
  }
  await setAuthorMode(database, hold, authorId, 'pull', delivered);
  authors.forget(authorId);
  metrics.thresholdCrossed('pull');
}

async function toPush(
  { database, hold, authors, metrics }: Delivery,
  authorId: string,
  delivered: LogVersion,
): Promise<void> {
  await setAuthorMode(database, hold, authorId, 'push', delivered);
  authors.forget(authorId);
  metrics.thresholdCrossed('push');
}
