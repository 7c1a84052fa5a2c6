import { activityIdBytes, activityIdFromBytes, highestActivityId } from '@tideline/shared/activity-id';
import type { PageEdge } from './page.js';

/** Edges of pages that are ordered by activity id: reads take an id that is not part of what they return. */

/** The id below which a page has everything. */
export function idBelowWhich(edge: PageEdge | undefined): string {
  if (edge === undefined) {
    return highestActivityId;
  }
  return idAt(edge.position, edge.inclusive ? 1n : 0n);
}

/** The id above which a page has everything. */
export function idAboveWhich({ position, inclusive }: PageEdge): string {
  return idAt(position, inclusive ? -1n : 0n);
}

/** An id as a number can be counted up and down: its version bits keep that from reaching the time. */
function idAt(position: Buffer, distance: bigint): string {
  const id = BigInt(`0x${position.toString('hex')}`) + distance;
  return activityIdFromBytes(Buffer.from(id.toString(16).padStart(activityIdBytes * 2, '0'), 'hex'));
}
