import type { Activity } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';

/** Columns of `activities a` that make an `Activity`. */
export const activityColumns = `
  a.id, a.actor_id as "actorId", a.verb, a.object_type as "objectType", a.object_id as "objectId",
  a.object_title as "objectTitle", a.target_type as "targetType", a.target_id as "targetId",
  a.target_title as "targetTitle", a.audience as "to", a.metadata`;

/** A follow with the columns of activities: which record, who follows, whom. */
export function followAsActivity(id: string, followerId: string, followeeId: string): string {
  return `
    select ${id} as id, ${followerId} as actor_id, 'follow' as verb, 'user' as object_type, ${followeeId} as object_id,
      null::text as object_title, null::text as target_type, null::text as target_id, null::text as target_title,
      null::text[] as audience, null::jsonb as metadata`;
}

export type ActivityRow = { [Name in keyof Omit<Activity, 'timestamp'>]: Activity[Name] | null } & {
  id: string;
};

/** A row without the fields that it has no value for. */
export function activityFromRow(row: ActivityRow): Activity {
  const fields = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return { ...(fields as Omit<Activity, 'timestamp'>), timestamp: timestampOf(row.id) };
}

/** The users that are hidden from the reader: `notHidden` the other way round. */
export const hiddenUsersSql = `
  select other_id from relations where user_id = $<reader> and active
  union
  select user_id from relations where other_id = $<reader> and active and kind = 'block'`;
