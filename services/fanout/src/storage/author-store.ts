import type { LogVersion } from '@tideline/shared/activity-record';
import type { Database } from '@tideline/shared/database';
import type { PartitionHold } from '@tideline/shared/feed-lists';
import { checkFence } from './partition-fences.js';

/** I7. push: delivered to inboxes. to_pull: still delivered, while readers are being told. pull: merged by readers. */
export type AuthorMode = 'push' | 'to_pull' | 'pull';

export interface AuthorState {
  mode: AuthorMode;
  followerCount: number;
}

const newcomer: AuthorState = { mode: 'push', followerCount: 0 };

/** The state of each of these authors. */
export async function readAuthors(database: Database, authorIds: readonly string[]): Promise<Map<string, AuthorState>> {
  const states = new Map(authorIds.map((authorId) => [authorId, newcomer]));
  if (authorIds.length > 0) {
    const rows = await database.any<AuthorState & { authorId: string }>(
      `select author_id as "authorId", mode, follower_count::int as "followerCount" from authors where author_id = any($1)`,
      [authorIds],
    );
    for (const { authorId, mode, followerCount } of rows) {
      states.set(authorId, { mode, followerCount });
    }
  }
  return states;
}

const beginCrossing = `update authors set mode = 'to_pull', changed_at = now() where author_id = $1`;

const endCrossing = `
  update authors set mode = $2, changed_at = now(), mode_generation = $3, mode_offset = $4,
    watermark = case $2 when 'push' then (
      select id from activities where actor_id = $1 order by time desc, id desc limit 1) else watermark end
  where author_id = $1`;

/** Notes that an author is on its way to pull, as the owner of the author's partition. */
export async function beginToPull(database: Database, hold: PartitionHold, authorId: string): Promise<void> {
  await database.tx(async (transaction) => {
    await checkFence(transaction, hold.partition, hold.fence);
    await transaction.none(beginCrossing, [authorId]);
  });
}

/**
 * Changes the mode, as the owner of the author's partition, once everything of the author up to `delivered` is delivered.
 * Back to push also sets the watermark: the author's highest id, down to which readers go on merging.
 */
export async function setAuthorMode(
  database: Database,
  hold: PartitionHold,
  authorId: string,
  mode: 'push' | 'pull',
  delivered: LogVersion,
): Promise<void> {
  await database.tx(async (transaction) => {
    await checkFence(transaction, hold.partition, hold.fence);
    await transaction.none(endCrossing, [authorId, mode, delivered.generation, delivered.offset]);
  });
}

/** Those of these authors whose outboxes some reader may merge. */
export async function mergedAuthors(database: Database, authorIds: readonly string[]): Promise<Set<string>> {
  if (authorIds.length === 0) {
    return new Set();
  }
  const rows = await database.any<{ author_id: string }>(
    `select author_id from authors where author_id = any($1) and (mode <> 'push' or watermark is not null)`,
    [authorIds],
  );
  return new Set(rows.map((row) => row.author_id));
}
