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

const markPush = `
  update authors set mode = 'push', changed_at = now(), watermark = (
    select id from activities where actor_id = $1 order by time desc, id desc limit 1)
  where author_id = $1`;

/**
 * Changes the mode, as the owner of the author's partition. Back to push also sets the watermark: the author's highest
 * id, down to which readers go on merging.
 */
export async function setAuthorMode(
  database: Database,
  hold: PartitionHold,
  authorId: string,
  mode: AuthorMode,
): Promise<void> {
  await database.tx(async (transaction) => {
    await checkFence(transaction, hold.partition, hold.fence);
    if (mode === 'push') {
      await transaction.none(markPush, [authorId]);
    } else {
      await transaction.none('update authors set mode = $2, changed_at = now() where author_id = $1', [authorId, mode]);
    }
  });
}

/** Those of these authors whose outboxes some reader may merge. */
export async function mergedAuthors(database: Database, authorIds: readonly string[]): Promise<Set<string>> {
  const rows = await database.any<{ author_id: string }>(
    `select author_id from authors where author_id = any($1) and (mode <> 'push' or watermark is not null)`,
    [authorIds],
  );
  return new Set(rows.map((row) => row.author_id));
}
