import { type FollowRecord, type LogVersion, recordVersion } from '@tideline/shared/activity-record';
import { buryFollow } from '@tideline/shared/follow-records';
import { applyFollows } from '@tideline/shared/projections';
import { appendTombstones, dropPullTokens, dropRegisters } from '@tideline/shared/registers';
import type { Caller } from '../caller.js';
import { type CorrectionTools, correct } from '../corrections/correct.js';

export interface Follow {
  followerId: string;
  followeeId: string;
}

export interface FollowTools {
  log: { append(records: readonly FollowRecord[], traceparent?: string): Promise<LogVersion[]> };
}

/** Follows take effect when fanout gets to them, milliseconds later. Returns the ids of their records, in order. */
export async function follow(tools: FollowTools, caller: Caller, follows: readonly Follow[]): Promise<string[]> {
  const records = follows.map((each) => followRecord('follow', each, caller));
  await tools.log.append(records, caller.traceparent);
  return records.map(({ id }) => id);
}

/**
 * Ends a follow, and the notification of it (I8): on the log, in TimescaleDB and in what readers check, or the outcome is
 * unknown. Returns the id of its record.
 */
export async function unfollow(tools: FollowTools & CorrectionTools, caller: Caller, ended: Follow): Promise<string> {
  const record = followRecord('unfollow', ended, caller);
  const versions = await tools.log.append([record], caller.traceparent);
  const changes = versions.map((version) => ({ ...ended, active: false, changedAt: caller.acceptedAt, version }));
  await correct(tools, record.id, {
    async project(database) {
      await applyFollows(database, changes);
      return (await Promise.all(changes.map((change) => buryFollow(database, change)))).flat();
    },
    publish: (cache, buried) => [
      ...dropRegisters(cache, [ended.followerId]),
      ...dropPullTokens(cache, [ended.followerId]),
      ...(buried.length === 0 ? [] : [appendTombstones(cache, buried)]),
    ],
  });
  return record.id;
}

function followRecord(
  verb: 'follow' | 'unfollow',
  { followerId, followeeId }: Follow,
  { callerId, requestId, awaited, acceptedAt, mintId }: Caller,
): FollowRecord {
  return {
    v: recordVersion,
    kind: 'follow',
    id: mintId(acceptedAt),
    actorId: followerId,
    verb,
    objectType: 'user',
    objectId: followeeId,
    callerId,
    requestId,
    acceptedAt,
    awaited,
  };
}
