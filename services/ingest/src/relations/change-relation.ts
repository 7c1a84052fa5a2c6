import { type LogVersion, type RelationRecord, recordVersion } from '@tideline/shared/activity-record';
import { applyRelations, relationReaders, relationVerbs } from '@tideline/shared/projections';
import { dropPullTokens, dropRegisters } from '@tideline/shared/registers';
import type { Caller } from '../caller.js';
import { type CorrectionTools, correct } from '../corrections/correct.js';

export interface RelationTools extends CorrectionTools {
  log: { append(records: readonly RelationRecord[], traceparent?: string): Promise<LogVersion[]> };
}

export type RelationVerb = RelationRecord['verb'];

/** `userId` mutes or blocks `otherId`, or ends that. */
export interface Relation {
  userId: string;
  otherId: string;
}

/**
 * Mutes or blocks a user, or ends that (I8): on the log, in TimescaleDB and in what readers check, or the outcome is
 * unknown. No inbox and no follow is touched, so what was hidden is back at once when it ends. Returns the id of its
 * record.
 */
export async function changeRelation(
  tools: RelationTools,
  caller: Caller,
  verb: RelationVerb,
  { userId, otherId }: Relation,
): Promise<string> {
  const { callerId, requestId, traceparent, awaited, acceptedAt, mintId } = caller;
  const record: RelationRecord = {
    v: recordVersion,
    kind: 'relation',
    id: mintId(acceptedAt),
    actorId: userId,
    verb,
    objectType: 'user',
    objectId: otherId,
    callerId,
    requestId,
    acceptedAt,
    awaited,
  };
  const versions = await tools.log.append([record], traceparent);
  const changes = versions.map((version) => ({
    userId,
    otherId,
    ...relationVerbs[verb],
    changedAt: acceptedAt,
    version,
  }));
  await correct(tools, record.id, {
    project: (database) => applyRelations(database, changes),
    publish: (cache) => {
      const readers = relationReaders(record);
      return [...dropRegisters(cache, readers), ...dropPullTokens(cache, readers)];
    },
  });
  return record.id;
}
