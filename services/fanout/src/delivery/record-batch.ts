import type { Activity } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';
import type {
  ActivityRecord,
  ContentRecord,
  DeleteRecord,
  FollowRecord,
  LogVersion,
  ObjectRecord,
  RelationRecord,
  UserRecord,
} from '@tideline/shared/activity-record';
import { objectName } from '@tideline/shared/feed-keys';
import { relationVerbs } from '@tideline/shared/projections';

/** A decoded record and where it stands on the log. */
export interface LoggedRecord<Record extends ActivityRecord = ActivityRecord> {
  record: Record;
  version: LogVersion;
}

/** Records of one partition, sorted out by what they change. Within each list they are in log order. */
export interface RecordBatch {
  /** Unique by id: the first copy counts. */
  contents: LoggedRecord<ContentRecord>[];
  /** Every copy. */
  controls: LoggedRecord<FollowRecord | RelationRecord | DeleteRecord | UserRecord | ObjectRecord>[];
  /** The last change of each pair. */
  follows: LoggedRecord<FollowRecord>[];
  /** The last change of each pair, of mutes and of blocks. */
  relations: LoggedRecord<RelationRecord>[];
  deletes: LoggedRecord<DeleteRecord>[];
  /** The last change of each user. */
  users: LoggedRecord<UserRecord>[];
  /** The last change of each object. */
  objects: LoggedRecord<ObjectRecord>[];
}

export function sortOut(records: readonly LoggedRecord[]): RecordBatch {
  const contents = new Map<string, LoggedRecord<ContentRecord>>();
  const follows = new Map<string, LoggedRecord<FollowRecord>>();
  const relations = new Map<string, LoggedRecord<RelationRecord>>();
  const deletes = new Map<string, LoggedRecord<DeleteRecord>>();
  const users = new Map<string, LoggedRecord<UserRecord>>();
  const objects = new Map<string, LoggedRecord<ObjectRecord>>();
  const controls: RecordBatch['controls'] = [];
  for (const { record, version } of records) {
    switch (record.kind) {
      case 'content':
        if (!contents.has(record.id)) {
          contents.set(record.id, { record, version });
        }
        break;
      case 'follow':
        controls.push({ record, version });
        follows.set(`${record.actorId} ${record.objectId}`, { record, version });
        break;
      case 'relation':
        controls.push({ record, version });
        relations.set(`${relationVerbs[record.verb].kind} ${record.actorId} ${record.objectId}`, { record, version });
        break;
      case 'delete':
        controls.push({ record, version });
        deletes.set(`${record.objectId} ${record.authorId}`, { record, version });
        break;
      case 'user':
        controls.push({ record, version });
        users.set(record.objectId, { record, version });
        break;
      case 'object':
        controls.push({ record, version });
        objects.set(objectName(record.objectType, record.objectId), { record, version });
        break;
    }
  }
  return {
    contents: [...contents.values()],
    controls,
    follows: [...follows.values()],
    relations: [...relations.values()],
    deletes: [...deletes.values()],
    users: [...users.values()],
    objects: [...objects.values()],
  };
}

/** What feeds keep of a content record. */
export function activityOf(record: ContentRecord): Activity {
  const { id, actorId, verb, objectType, objectId, objectTitle, targetType, targetId, targetTitle, to, metadata } =
    record;
  return {
    id,
    actorId,
    verb,
    objectType,
    objectId,
    ...(objectTitle === undefined ? {} : { objectTitle }),
    ...(targetType === undefined ? {} : { targetType }),
    ...(targetId === undefined ? {} : { targetId }),
    ...(targetTitle === undefined ? {} : { targetTitle }),
    ...(to === undefined ? {} : { to }),
    ...(metadata === undefined ? {} : { metadata }),
    timestamp: timestampOf(id),
  };
}
