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
  /** Of one that was given up and is replayed, where its copy stands; `version` is where it stood first. */
  replayedAt?: LogVersion;
}

/** Where on the log this is: what was done before it was before it, whatever its version. */
export function positionOf({ version, replayedAt }: LoggedRecord): LogVersion {
  return replayedAt ?? version;
}

/** Records of one partition, sorted out by what they change. Within each list they are in the order of their versions. */
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
  for (const { record, ...place } of inOrder(records)) {
    switch (record.kind) {
      case 'content':
        if (!contents.has(record.id)) {
          contents.set(record.id, { record, ...place });
        }
        break;
      case 'follow':
        controls.push({ record, ...place });
        follows.set(`${record.actorId} ${record.objectId}`, { record, ...place });
        break;
      case 'relation':
        controls.push({ record, ...place });
        relations.set(`${relationVerbs[record.verb].kind} ${record.actorId} ${record.objectId}`, { record, ...place });
        break;
      case 'delete':
        controls.push({ record, ...place });
        deletes.set(`${record.objectId} ${record.authorId}`, { record, ...place });
        break;
      case 'user':
        controls.push({ record, ...place });
        users.set(record.objectId, { record, ...place });
        break;
      case 'object':
        controls.push({ record, ...place });
        objects.set(objectName(record.objectType, record.objectId), { record, ...place });
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

/** Log order is the order of versions but for records that are replayed. */
function inOrder(records: readonly LoggedRecord[]): readonly LoggedRecord[] {
  if (records.every(({ replayedAt }) => replayedAt === undefined)) {
    return records;
  }
  return records.toSorted(({ version: a }, { version: b }) => a.generation - b.generation || a.offset - b.offset);
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
