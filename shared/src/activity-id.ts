import { createHash, randomFillSync } from 'node:crypto';

/**
 * Activity ids are UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, the activity's own timestamp, then 74 bits that are
 * random or, with a `foreignId`, a hash. Bytes in ascending order are time in ascending order (I3).
 */

/** An id as Redis holds it. */
export const activityIdBytes = 16;
/** Below every id: the floor of a list that is complete to the beginning. */
export const lowestActivityId = '00000000-0000-0000-0000-000000000000';
/** Above every id: the cursor of a first page. */
export const highestActivityId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const timeBytes = 6;
const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isActivityId(text: string): boolean {
  return pattern.test(text);
}

/**
 * Returns a function that gives a new id for a timestamp in Unix milliseconds. Ids given for the same millisecond one
 * after the other ascend, so that the items of one request keep their order.
 */
export function activityIdMinter(): (timestamp: number) => string {
  return minter((bytes) => randomFillSync(bytes, timeBytes));
}

/** The same, except that minters with the same seed give the same ids for the same timestamps, in the same order. */
export function seededIdMinter(seed: Buffer): (timestamp: number) => string {
  let count = 0;
  return minter((bytes) => {
    count += 1;
    const hash = createHash('sha256').update(seed).update(String(count)).digest();
    hash.copy(bytes, timeBytes, 0, activityIdBytes - timeBytes);
  });
}

/** `fill` makes all of an id but its time. */
function minter(fill: (bytes: Buffer) => void): (timestamp: number) => string {
  let lastTimestamp = -1;
  let sequence = 0;
  const bytes = Buffer.alloc(activityIdBytes);
  return (timestamp) => {
    fill(bytes);
    // The 12 bits after the time count up within a millisecond, from a random start in their lower half. Once they run
    // out the order inside that millisecond is lost; the id is still unique by its other 62 bits.
    sequence = timestamp === lastTimestamp && sequence < 0xfff ? sequence + 1 : bytes.readUInt16BE(timeBytes) & 0x7ff;
    lastTimestamp = timestamp;
    bytes.writeUInt16BE(sequence, timeBytes);
    return stamp(bytes, timestamp);
  };
}

/**
 * The id of the activity that `actorId` knows as `foreignId` (I4): always the same, wherever and however often it is
 * made. `timestamp` is in Unix milliseconds.
 */
export function foreignActivityId(actorId: string, foreignId: string, timestamp: number): string {
  // User ids have no NUL, so the pair cannot be read in two ways.
  const hash = createHash('sha256').update(`${actorId}\0${foreignId}`).digest();
  const bytes = Buffer.alloc(activityIdBytes);
  hash.copy(bytes, timeBytes, 0, activityIdBytes - timeBytes);
  return stamp(bytes, timestamp);
}

/** Unix milliseconds of an id. */
export function timestampOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Not above any id of this time, Unix milliseconds, and above all of earlier times. */
export function lowestIdFrom(timestamp: number): string {
  return stamp(Buffer.alloc(activityIdBytes), timestamp);
}

export function activityIdToBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** Reads the id at `offset` bytes. */
export function activityIdFromBytes(bytes: Buffer, offset = 0): string {
  const hex = bytes.toString('hex', offset, offset + activityIdBytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Reads ids that stand one after the other, as the scripts return them. */
export function activityIdsFromBytes(bytes: Buffer): string[] {
  const ids: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += activityIdBytes) {
    ids.push(activityIdFromBytes(bytes, offset));
  }
  return ids;
}

function stamp(bytes: Buffer, timestamp: number): string {
  bytes.writeUIntBE(timestamp, 0, timeBytes);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return activityIdFromBytes(bytes);
}
