import { type LogVersion, recordVersion, type UserRecord } from '@tideline/shared/activity-record';
import { applyUsers } from '@tideline/shared/projections';
import type { Caller } from '../caller.js';
import { type CorrectionTools, correct } from '../corrections/correct.js';

export interface UserDescription {
  userId: string;
  name: string;
  /** A URL, or null for none. */
  avatar: string | null;
}

export interface UserTools extends CorrectionTools {
  log: { append(records: readonly UserRecord[], traceparent?: string): Promise<LogVersion[]> };
}

/**
 * Names a user. It is in TimescaleDB before this resolves, so that the user can be referred to at once; copies of the
 * name elsewhere are at most seconds old and catch up by themselves. Returns the id of the record.
 */
export async function describeUser(
  tools: UserTools,
  caller: Caller,
  actorId: string,
  description: UserDescription,
): Promise<string> {
  const { userId, name, avatar } = description;
  const { callerId, requestId, traceparent, awaited, acceptedAt } = caller;
  const record: UserRecord = {
    v: recordVersion,
    kind: 'user',
    id: caller.mintId(acceptedAt),
    actorId,
    verb: 'update',
    objectType: 'user',
    objectId: userId,
    name,
    ...(avatar === null ? {} : { avatar }),
    callerId,
    requestId,
    acceptedAt,
    awaited,
  };
  const versions = await tools.log.append([record], traceparent);
  const changes = versions.map((version) => ({ ...description, version }));
  await correct(tools, record.id, { project: (database) => applyUsers(database, changes) });
  return record.id;
}
