import type { Activity, FeedItem } from '@tideline/shared/activity';
import type { SqlScope } from '../storage/sql-scope.js';
import type { FeedTools } from './feed-tools.js';

/** Activities as they are shown: with their actors' current names, and without their audience. */
export async function presentItems(
  { names }: Pick<FeedTools, 'names'>,
  sql: SqlScope,
  activities: readonly Activity[],
): Promise<FeedItem[]> {
  const known = await names.read(sql, new Set(activities.map(({ actorId }) => actorId)));
  return activities.map(({ to: _to, id, actorId, ...activity }) => {
    const { name, avatar } = known.get(actorId) ?? { name: actorId, avatar: null };
    return { id, actorId, actorName: name, actorAvatar: avatar, ...activity };
  });
}
