import { type LogVersion, type ObjectRecord, recordVersion } from '@tideline/shared/activity-record';
import { type Database, prepared, whileDatabaseIsUp } from '@tideline/shared/database';
import { TidelineError } from '@tideline/shared/errors';
import { cacheObject } from '@tideline/shared/objects';
import { applyObjects } from '@tideline/shared/projections';
import type { Caller } from '../caller.js';
import { type CorrectionTools, correct } from '../corrections/correct.js';

export interface ObjectDescription {
  type: string;
  id: string;
  title?: string | undefined;
  /** Absent: the owner stays, and of a new object it is who describes it. */
  ownerId?: string | undefined;
  url?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/** On whose behalf an object is described. */
export interface Describer {
  /** Who is on the log as the one that did it. */
  actorId: string;
  /** The user of the key, or the one that a service acts as; undefined for a service that acts as nobody. */
  userId: string | undefined;
  /** A service may describe what belongs to others. */
  isService: boolean;
}

export interface ObjectTools extends CorrectionTools {
  log: { append(records: readonly ObjectRecord[], traceparent?: string): Promise<LogVersion[]> };
}

export interface DescribedObject {
  /** The id of the record. */
  recordId: string;
  /** null: nobody is known to own it. */
  ownerId: string | null;
}

/**
 * Says what an object is: it is that from now on, and what is not said it does not have, except its owner, who stays. It
 * is on the log, in TimescaleDB and in Redis before this resolves, so that it can be referred to at once. Throws
 * `forbidden` for a user whose object it is not, `unavailable` with nothing done, and `outcome_unknown`.
 */
export async function describeObject(
  tools: ObjectTools,
  caller: Caller,
  describer: Describer,
  description: ObjectDescription,
): Promise<DescribedObject> {
  const ownerId = await ownerFromNowOn(tools.database, describer, description);
  const record = objectRecord(description, ownerId, caller, describer.actorId);
  const { type, id, title = null, url = null, metadata = null } = description;
  const versions = await tools.log.append([record], caller.traceparent);
  const changes = versions.map((version) => ({
    type,
    id,
    title,
    ownerId,
    url,
    metadata,
    changedAt: caller.acceptedAt,
    version,
  }));
  await correct(tools, record.id, {
    project: (database) => applyObjects(database, changes),
    publish: (cache) => changes.map(({ version, ...object }) => cacheObject(cache, { ...object, ...version })),
  });
  return { recordId: record.id, ownerId };
}

const currentOwnerSql = 'select owner_id as "ownerId" from objects where type = $1 and id = $2';

/** Anybody may describe an object that nobody did before; after that its owner may, and services. */
async function ownerFromNowOn(
  database: Database,
  { userId, isService }: Describer,
  { type, id, ownerId }: ObjectDescription,
): Promise<string | null> {
  const current = await whileDatabaseIsUp(() =>
    database.oneOrNone<{ ownerId: string | null }>(prepared('current-owner', currentOwnerSql, [type, id])),
  );
  if (current === null) {
    if (!isService && ownerId !== undefined && ownerId !== userId) {
      throw new TidelineError('forbidden', 'Only a service may give a new object to somebody else.');
    }
    return ownerId ?? userId ?? null;
  }
  if (!isService && current.ownerId !== userId) {
    throw new TidelineError('forbidden', 'Only its owner or a service may change an object.');
  }
  return ownerId ?? current.ownerId;
}

function objectRecord(
  { type, id: objectId, title, url, metadata }: ObjectDescription,
  ownerId: string | null,
  { callerId, requestId, awaited, acceptedAt, mintId }: Caller,
  actorId: string,
): ObjectRecord {
  return {
    v: recordVersion,
    kind: 'object',
    id: mintId(acceptedAt),
    actorId,
    verb: 'update',
    objectType: type,
    objectId,
    title,
    ownerId: ownerId ?? undefined,
    url,
    metadata,
    callerId,
    requestId,
    acceptedAt,
    awaited,
  };
}
