import { activityIdToBytes } from '@tideline/shared/activity-id';
import type { FanoutResult } from '@tideline/shared/fanout-results';
import { cacheObject } from '@tideline/shared/objects';
import { cacheUserName } from '@tideline/shared/user-names';
import { ListUpdates } from '../inbox/list-updates.js';
import { readContents, type StoredContent } from '../storage/activity-reader.js';
import { contentsOf, type PersistedBatch } from '../storage/activity-writer.js';
import { onlyFollows } from '../storage/follower-store.js';
import { notifiedBy } from '../storage/notification-writer.js';
import type { Author } from './author-cache.js';
import type { Delivery } from './delivery.js';
import type { RecordBatch } from './record-batch.js';

/** Bounds what one wave of deliveries holds in memory and sends at once. */
const deliveriesPerWaveMax = 100_000;
/** Lua takes so many arguments from a table at once, and one list may get all of a wave. */
const contentsPerWaveMax = 2_000;

/**
 * The contents of a batch that are to be delivered, oldest first. One that was there before is delivered as it was
 * stored then, even if its producer said something else this time.
 */
export async function storedContents(
  { database }: Delivery,
  batch: RecordBatch,
  { knownIds, deletedIds }: PersistedBatch,
): Promise<StoredContent[]> {
  const stored = await readContents(database, [...knownIds]);
  const fresh = contentsOf(batch, knownIds);
  return [...stored, ...fresh].filter(({ id }) => !deletedIds.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Caches what the batch says of users and objects. */
export async function cacheDescriptions({ cache }: Delivery, { users, objects }: RecordBatch): Promise<void> {
  const names = users.map(({ record, version: { generation, offset } }) =>
    cacheUserName(cache, {
      userId: record.objectId,
      name: record.name,
      avatar: record.avatar ?? null,
      generation,
      offset,
    }),
  );
  const details = objects.map(({ record, version: { generation, offset } }) =>
    cacheObject(cache, {
      type: record.objectType,
      id: record.objectId,
      title: record.title ?? null,
      ownerId: record.ownerId ?? null,
      url: record.url ?? null,
      generation,
      offset,
    }),
  );
  await cache.run([...names, ...details]);
}

/** Where one content went. */
export interface Delivered {
  strategy: FanoutResult['strategy'];
  /** Followers whose inboxes it was addressed to. */
  followers: number;
}

/**
 * Puts each content into the inboxes it belongs in and into the notifications of whom it concerns, and public ones into
 * their author's outbox. Returns by id where each one went.
 */
export async function deliverContents(
  delivery: Delivery,
  contents: readonly StoredContent[],
  authors: ReadonlyMap<string, Author>,
): Promise<Map<string, Delivered>> {
  const delivered = new Map<string, Delivered>();
  const targets = await targetsOf(delivery, contents);
  let wave = new ListUpdates();
  let contentsInWave = 0;
  for (const content of contents) {
    // What went out in another mode of its author would come to readers, and to those who watch, a second time.
    const into = content.isDelivered ? new ListUpdates() : wave;
    delivered.set(content.id, addRecipients(into, content, authors.get(content.actorId), targets.get(content.id)));
    contentsInWave += 1;
    if (wave.size >= deliveriesPerWaveMax || contentsInWave >= contentsPerWaveMax) {
      await send(delivery, wave);
      wave = new ListUpdates();
      contentsInWave = 0;
    }
  }
  await send(delivery, wave);
  return delivered;
}

function addRecipients(
  wave: ListUpdates,
  content: StoredContent,
  author: Author | undefined,
  targets: readonly string[] | undefined,
): Delivered {
  const { id, actorId, to } = content;
  const bytes = activityIdToBytes(id);
  wave.add('inbox', actorId, bytes);
  if (to === null) {
    wave.add('outbox', actorId, bytes);
  }
  for (const userId of notifiedBy(content)) {
    wave.add('notifications', userId, bytes);
  }
  let followers = 0;
  for (const followerId of (to === null ? author?.followers : targets) ?? []) {
    wave.add('inbox', followerId, bytes);
    followers += 1;
  }
  return { strategy: to === null && author?.mode === 'pull' ? 'lazy' : 'fanout', followers };
}

/** For targeted activities, who of the audience follows the author: they are pushed to, whatever the author's mode. */
async function targetsOf(
  { database }: Delivery,
  contents: readonly StoredContent[],
): Promise<Map<string, readonly string[]>> {
  const targeted = contents.filter(({ to }) => to !== null);
  const pairs = targeted.flatMap(({ actorId, to }) =>
    (to ?? []).map((followerId) => ({ authorId: actorId, followerId })),
  );
  const follows = await onlyFollows(database, pairs);
  const following = new Set(follows.map(({ authorId, followerId }) => `${authorId} ${followerId}`));
  return new Map(
    targeted.map(({ id, actorId, to }) => [
      id,
      [...new Set(to)].filter((followerId) => following.has(`${actorId} ${followerId}`)),
    ]),
  );
}

async function send({ inboxes, hold, metrics, heartbeat }: Delivery, wave: ListUpdates): Promise<void> {
  const inserted = await inboxes.insert(hold, wave, 'accept');
  metrics.delivered(wave.size, inserted);
  await heartbeat();
}
