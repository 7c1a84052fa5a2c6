import type { ActivityInput } from '@tideline/shared/activity';
import { foreignActivityId } from '@tideline/shared/activity-id';
import { type ContentRecord, type LogVersion, recordVersion } from '@tideline/shared/activity-record';
import { invalidRequest } from '@tideline/shared/errors';
import type { Attempt, Caller } from '../caller.js';
import { type OwnerTools, stampOwners } from '../objects/object-owners.js';

/** An activity whose actor is known. */
export type ActedInput = ActivityInput & { actorId: string };

export interface AcceptedActivity {
  id: string;
  /** Unix milliseconds. */
  timestamp: number;
}

export interface AcceptanceTools extends OwnerTools {
  /** Unix milliseconds before which content is not kept. */
  horizon: { readonly ms: number };
  log: { append(records: readonly ContentRecord[], traceparent?: string): Promise<LogVersion[]> };
}

/**
 * Accepts the activities of one request: valid inputs → with the owners of their objects → records with ids → the log,
 * acknowledged → what the caller needs to refer to them, in the order given. Throws `invalid_request` for what is before the
 * horizon of retention, what the log throws, and `unavailable` where owners cannot be looked up; then none may be taken as
 * accepted.
 */
export async function acceptActivities(
  tools: AcceptanceTools,
  caller: Caller,
  inputs: readonly ActedInput[],
): Promise<AcceptedActivity[]> {
  refuseExpired(tools.horizon.ms, inputs);
  const owned = await stampOwners(tools, inputs);
  const accepted = owned.map((input) => identify(input, caller));
  const records = accepted.map(({ id, input }) => contentRecord(id, input, caller));
  await tools.log.append(records, caller.traceparent);
  return accepted.map(({ id, timestamp }) => ({ id, timestamp }));
}

/** What was posted is never dropped silently: what would be, is refused. */
function refuseExpired(horizonMs: number, inputs: readonly ActedInput[]): void {
  const details = inputs.flatMap(({ timestamp }, i) =>
    timestamp !== undefined && timestamp < horizonMs
      ? [{ path: inputs.length === 1 ? 'timestamp' : `${i}.timestamp`, message: 'is before what is kept' }]
      : [],
  );
  if (details.length > 0) {
    throw invalidRequest(`Content from before ${new Date(horizonMs).toISOString()} is not kept here.`, details);
  }
}

type OwnedInput = ActedInput & { objectOwnerId?: string };

/** I3, I4: the id carries the timestamp, and with a `foreignId` it is the same whenever the activity is posted. */
function identify(input: OwnedInput, { acceptedAt, mintId }: Attempt) {
  const { actorId, foreignId, timestamp = acceptedAt } = input;
  const id = foreignId === undefined ? mintId(timestamp) : foreignActivityId(actorId, foreignId, timestamp);
  return { id, timestamp, input };
}

function contentRecord(id: string, input: OwnedInput, caller: Caller): ContentRecord {
  const { timestamp: _inId, ...content } = input;
  const { callerId, requestId, acceptedAt } = caller;
  return { v: recordVersion, kind: 'content', id, ...content, callerId, requestId, acceptedAt };
}
