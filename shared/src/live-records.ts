import { activityIdBytes, activityIdFromBytes, activityIdToBytes } from './activity-id.js';
import { loadScript } from './redis-script.js';

/**
 * What happened to readers who watch their feeds, as the scripts record it where it happens: each bucket has a stream in
 * Redis, and what authors did whom readers merge has one of its own. An entry is made by the very script call that
 * changed the lists, so a change is recorded as often as it happened: once.
 *
 * An entry holds the records of one call, one after the other: kind (1 byte), activity id (16 bytes, zero where none is
 * meant), length of the user's id (1 byte), the user's id.
 */
const kinds = {
  /** An activity was put into the user's home. In the stream of merged authors the user is its author. */
  a: 'home_added',
  n: 'notifications_added',
  /** An activity was deleted, and is gone from the user's home. In the stream of merged authors as above. */
  d: 'home_removed',
  m: 'notifications_removed',
  /** Whatever else happened to it: it is to be read again. */
  r: 'home_changed',
  s: 'notifications_changed',
  /** What the user's pages are checked against has changed: mutes, blocks, follows, merged authors. */
  g: 'register_changed',
  /** From here on the user is watched. Of what happened before nothing may have been recorded. */
  b: 'watch_began',
} as const;

type Letter = keyof typeof kinds;
export type LiveRecordKind = (typeof kinds)[Letter];

export interface LiveRecord {
  kind: LiveRecordKind;
  /** Undefined where no single activity is meant. */
  activityId: string | undefined;
  userId: string;
}

/** What scripts that record include. */
export const recordLive = loadScript('record-live', import.meta.url);

const lengthAt = 1 + activityIdBytes;
const headBytes = lengthAt + 1;
const noId = Buffer.alloc(activityIdBytes);
const letters = new Map(Object.entries(kinds).map(([letter, kind]) => [kind, letter]));

export function encodeLiveRecords(records: readonly LiveRecord[]): Buffer {
  return Buffer.concat(
    records.map(({ kind, activityId, userId }) =>
      Buffer.concat([
        Buffer.from(letters.get(kind) ?? ''),
        activityId === undefined ? noId : activityIdToBytes(activityId),
        Buffer.from([userId.length]),
        Buffer.from(userId),
      ]),
    ),
  );
}

/** Records of kinds that this release does not know are left out: a newer one may run beside it. */
export function decodeLiveRecords(packed: Buffer): LiveRecord[] {
  const records: LiveRecord[] = [];
  for (let at = 0; at < packed.length; ) {
    const kind = kinds[String.fromCharCode(packed.readUInt8(at)) as Letter] as LiveRecordKind | undefined;
    const id = packed.subarray(at + 1, at + lengthAt);
    const end = at + headBytes + packed.readUInt8(at + lengthAt);
    if (kind !== undefined) {
      const activityId = id.equals(noId) ? undefined : activityIdFromBytes(id);
      records.push({ kind, activityId, userId: packed.toString('latin1', at + headBytes, end) });
    }
    at = end;
  }
  return records;
}
