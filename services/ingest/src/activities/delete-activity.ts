import { type DeleteRecord, type LogVersion, recordVersion } from '@tideline/shared/activity-record';
import { applyTombstones } from '@tideline/shared/projections';
import { appendTombstones, dropPullTokens } from '@tideline/shared/registers';
import type { Caller } from '../caller.js';
import { type CorrectionTools, correct } from '../corrections/correct.js';

export interface DeletionTools extends CorrectionTools {
  log: { append(records: readonly DeleteRecord[], traceparent?: string): Promise<LogVersion[]> };
}

export interface Deletion {
  activityId: string;
  /** Whose activity is deleted: a tombstone holds only where it matches. */
  authorId: string;
  /** Who deletes it. */
  actorId: string;
}

/** Deletes an activity (I8): on the log, in TimescaleDB and in what readers check, or the outcome is unknown. */
export async function deleteActivity(tools: DeletionTools, caller: Caller, deletion: Deletion): Promise<void> {
  const { activityId, authorId, actorId } = deletion;
  const { callerId, requestId, traceparent, acceptedAt: deletedAt } = caller;
  const record: DeleteRecord = {
    v: recordVersion,
    kind: 'delete',
    id: caller.mintId(deletedAt),
    actorId,
    verb: 'delete',
    objectType: 'activity',
    objectId: activityId,
    authorId,
    callerId,
    requestId,
    acceptedAt: deletedAt,
  };
  const versions = await tools.log.append([record], traceparent);
  const tombstones = versions.map((version) => ({ activityId, authorId, deletedAt, version }));
  await correct(tools, record.id, {
    project: (database) => applyTombstones(database, tombstones),
    publish: (cache) => [appendTombstones(cache, tombstones), ...dropPullTokens(cache, new Set([actorId, authorId]))],
  });
}
