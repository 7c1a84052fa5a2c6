import type { ActivityRecord, ContentRecord } from '@tideline/shared/activity-record';
import type { Queryable } from '@tideline/shared/database';
import { isBelow, type LogPlace, readErasedUsers } from '../storage/erasures.js';
import type { LoggedRecord } from './record-batch.js';

/**
 * The records of a partition without those of users who were erased, and the others without their names: they are as if they had never been
 * on the log. A record that stands below no erasure, as all do that are new, costs nothing here.
 */
export async function leaveOutErased(
  database: Queryable,
  partition: number,
  erasedBelow: LogPlace | undefined,
  records: readonly LoggedRecord[],
): Promise<readonly LoggedRecord[]> {
  const concerned = erasedBelow === undefined ? [] : records.filter(({ version }) => isBelow(version, erasedBelow));
  if (concerned.length === 0) {
    return records;
  }
  const named = new Set(concerned.flatMap(({ record }) => usersNamedIn(record)));
  return withoutErased(records, await readErasedUsers(database, partition, [...named]));
}

/** `erased`: by user the place below which records are left out. */
export function withoutErased(
  records: readonly LoggedRecord[],
  erased: ReadonlyMap<string, LogPlace>,
): readonly LoggedRecord[] {
  if (erased.size === 0) {
    return records;
  }
  return records.flatMap((logged) => {
    const isErased = (userId: string | undefined) => {
      const place = userId === undefined ? undefined : erased.get(userId);
      return place !== undefined && isBelow(logged.version, place);
    };
    const { record } = logged;
    if (usersWhoseRecordItIs(record).some(isErased)) {
      return [];
    }
    return record.kind === 'content' ? [{ ...logged, record: withoutNames(record, isErased) }] : [logged];
  });
}

function usersNamedIn(record: ActivityRecord): string[] {
  const others = record.kind === 'content' ? [...(record.to ?? []), record.objectOwnerId ?? []].flat() : [];
  return [...usersWhoseRecordItIs(record), ...others];
}

/** Who did it, and whom it is about: the record is gone with any of them. */
function usersWhoseRecordItIs(record: ActivityRecord): string[] {
  const users = [record.actorId];
  if (record.objectType === 'user') {
    users.push(record.objectId);
  }
  if (record.kind === 'content' && record.targetType === 'user' && record.targetId !== undefined) {
    users.push(record.targetId);
  }
  if (record.kind === 'delete') {
    users.push(record.authorId);
  }
  if (record.kind === 'object' && record.ownerId !== undefined) {
    users.push(record.ownerId);
  }
  return users;
}

/** What others did, to what belongs to nobody known: what that is called were words of its owner. And for fewer. */
function withoutNames(record: ContentRecord, isErased: (userId: string | undefined) => boolean): ContentRecord {
  const { objectOwnerId, objectTitle: _title, ...rest } = record;
  const owned = isErased(objectOwnerId) ? rest : record;
  // That nobody is left whom it is for does not make it everybody's.
  return owned.to === undefined ? owned : { ...owned, to: owned.to.filter((userId) => !isErased(userId)) };
}
