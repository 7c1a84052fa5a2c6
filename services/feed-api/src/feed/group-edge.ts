import { createHash } from 'node:crypto';
import { activityIdBytes, activityIdToBytes, highestActivityId } from '@tideline/shared/activity-id';
import { idAboveWhich, idBelowWhich } from './activity-edge.js';
import { positionMaxBytes } from './cursor.js';
import type { Group, GroupEdge } from './groups.js';
import type { PageEdge } from './page.js';

/**
 * Edges of pages of groups, in cursors. Those that lead up are the newest activity of a group. Those that lead down are
 * the last activity of a group that was shown, and the names of such groups whose window is not over there.
 *
 * Bytes: the activity's id; then, where they are known, a mark and the names.
 */

/** So many that no group is taken for another. */
const nameBytes = 8;
const namesMark = 1;

/** A group in few bytes. `key`: as `Grouping` makes it. */
export function groupName(key: string): string {
  return createHash('sha256')
    .update(key)
    .digest('hex')
    .slice(0, nameBytes * 2);
}

export function headPosition({ head }: Group): Buffer {
  return activityIdToBytes(head.id);
}

export function endPosition({ end: { below, shown } }: Group): Buffer {
  const id = activityIdToBytes(below);
  if (shown === undefined || activityIdBytes + 1 + shown.size * nameBytes > positionMaxBytes) {
    return id;
  }
  return Buffer.concat([id, Buffer.of(namesMark), ...[...shown].map((name) => Buffer.from(name, 'hex'))]);
}

/** The id above which a page has what there is. */
export function edgeAbove(edge: PageEdge): string {
  return idAboveWhich(withoutNames(edge));
}

/** Without an edge: the top of the feed, where nothing was shown. */
export function edgeBelow(edge: PageEdge | undefined): GroupEdge {
  if (edge === undefined) {
    return { below: highestActivityId, shown: new Set() };
  }
  const names = edge.position.subarray(activityIdBytes + 1).toString('hex');
  return {
    below: idBelowWhich(withoutNames(edge)),
    shown: edge.position.length === activityIdBytes ? undefined : new Set(names.match(/.{16}/g)),
  };
}

function withoutNames({ position, inclusive }: PageEdge): PageEdge {
  return { position: position.subarray(0, activityIdBytes), inclusive };
}
