import type { Activity, FeedItem } from '@tideline/shared/activity';
import type { ObjectReference } from '@tideline/shared/objects';
import type { TitleOf } from '../inbox/title-store.js';
import type { SqlScope } from '../storage/sql-scope.js';
import type { FeedTools } from './feed-tools.js';

/** Activities as they are shown: with current names of actors and objects, and without their audience. */
export async function presentItems(
  { names, titles }: Pick<FeedTools, 'names' | 'titles'>,
  sql: SqlScope,
  activities: readonly Activity[],
): Promise<FeedItem[]> {
  const [nameOf, titleOf] = await Promise.all([
    names.read(
      sql,
      activities.map(({ actorId }) => actorId),
    ),
    titles.read(sql, activities.flatMap(referencesOf)),
  ]);
  return activities.map(({ to: _to, id, actorId, ...activity }) => {
    const { name, avatar } = nameOf.get(actorId) ?? { name: actorId, avatar: null };
    return { id, actorId, actorName: name, actorAvatar: avatar, ...activity, ...currentTitles(activity, titleOf) };
  });
}

type Named = Pick<Activity, 'objectType' | 'objectId' | 'targetType' | 'targetId'>;

function referencesOf({ objectType, objectId, targetType, targetId }: Named): ObjectReference[] {
  const object = { type: objectType, id: objectId };
  return targetType === undefined || targetId === undefined ? [object] : [object, { type: targetType, id: targetId }];
}

/** Those titles that are registered; for the others the activity has its own. */
function currentTitles({ objectType, objectId, targetType, targetId }: Named, titleOf: TitleOf) {
  const objectTitle = titleOf(objectType, objectId);
  const targetTitle = targetType === undefined || targetId === undefined ? undefined : titleOf(targetType, targetId);
  return {
    ...(objectTitle === undefined ? {} : { objectTitle }),
    ...(targetTitle === undefined ? {} : { targetTitle }),
  };
}
