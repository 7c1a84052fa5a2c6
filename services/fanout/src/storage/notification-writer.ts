import { prepared, type Queryable } from '@tideline/shared/database';
import type { StoredContent } from './activity-reader.js';
import { type BegunFollow, isOver } from './follow-history.js';

/** Whom a content notifies: those it is for, or where it is for everybody the owner of its object. Never its actor. */
export function notifiedBy({ actorId, to, objectOwnerId }: StoredContent): string[] {
  const concerned = to ?? (objectOwnerId === null ? [] : [objectOwnerId]);
  return [...new Set(concerned)].filter((userId) => userId !== actorId);
}

const insertSql = `
  insert into notifications (user_id, id, actor_id, is_follow)
  select user_id, id, actor_id, $4
  from unnest($1::text[], $2::uuid[], $3::text[]) as notification (user_id, id, actor_id)
  order by user_id, id
  on conflict do nothing`;

interface Notification {
  userId: string;
  id: string;
  actorId: string;
}

async function insert(
  transaction: Queryable,
  isFollow: boolean,
  notifications: readonly Notification[],
): Promise<void> {
  if (notifications.length > 0) {
    await transaction.none(
      prepared('insert-notifications', insertSql, [
        notifications.map(({ userId }) => userId),
        notifications.map(({ id }) => id),
        notifications.map(({ actorId }) => actorId),
        isFollow,
      ]),
    );
  }
}

/** Notifies of contents, in the transaction that inserts them. */
export async function insertNotifications(transaction: Queryable, contents: readonly StoredContent[]): Promise<void> {
  await insert(
    transaction,
    false,
    contents.flatMap((content) => notifiedBy(content).map((userId) => ({ ...content, userId }))),
  );
}

const deleteSql = `
  delete from notifications n
  using unnest($1::text[], $2::uuid[]) as ended (user_id, id)
  where n.user_id = ended.user_id and n.id = ended.id`;

/** Notifies of the follows that stand, and not any more of those that ended. */
export async function replaceFollowNotifications(transaction: Queryable, begun: readonly BegunFollow[]): Promise<void> {
  const ended = begun.filter(isOver);
  if (ended.length > 0) {
    await transaction.none(
      prepared('delete-notifications', deleteSql, [
        ended.map(({ followeeId }) => followeeId),
        ended.map(({ id }) => id),
      ]),
    );
  }
  const standing = begun.filter((follow) => !isOver(follow) && !follow.isEnding);
  await insert(
    transaction,
    true,
    standing.map(({ id, followerId, followeeId }) => ({ userId: followeeId, id, actorId: followerId })),
  );
}
