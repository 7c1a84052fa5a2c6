import { highestActivityId, timestampOf } from '@tideline/shared/activity-id';

/**
 * How pages are read from TimescaleDB: in time windows that double, so that a page of a busy feed touches one chunk and
 * one of a quiet feed does not plan over all of them at each step (design, section 6).
 */

const firstWindowMs = 7 * 86_400_000;
/** After so many windows, 63 weeks in all, the last one has no lower bound. */
const boundedWindowsMax = 6;

/** A part of a feed: up to `limit` of its activities from an id on, which is not among them, the nearest first. */
export interface Stretch {
  direction: 'older' | 'newer';
  from: string;
  limit: number;
}

export interface TimeWindow {
  from: string;
  upper: Date;
  lower: Date;
}

/** Reads up to `limit` rows of one window, the nearest first. */
type WindowReader<Row> = (window: TimeWindow, limit: number) => Promise<Row[]>;

/** Reads a stretch window by window. */
export async function walk<Row>({ direction, from, limit }: Stretch, read: WindowReader<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  // Nothing is more than the allowed skew ahead of now.
  const newestMs = Date.now() + firstWindowMs;
  const endMs = direction === 'older' ? 0 : newestMs;
  // The cursor of a first page is no time.
  let nearMs = from === highestActivityId ? newestMs : timestampOf(from);
  for (let step = 0, lengthMs = firstWindowMs; rows.length < limit; step += 1, lengthMs *= 2) {
    const reachMs = step === boundedWindowsMax ? Number.POSITIVE_INFINITY : lengthMs;
    const farMs = direction === 'older' ? Math.max(endMs, nearMs - reachMs) : Math.min(endMs, nearMs + reachMs);
    const window = { from, lower: new Date(Math.min(nearMs, farMs)), upper: new Date(Math.max(nearMs, farMs)) };
    rows.push(...(await read(window, limit - rows.length)));
    if (farMs === endMs) {
      break;
    }
    nearMs = farMs;
  }
  return rows;
}

/** Windows meet without overlapping, so an activity is in one of them only. */
export const inWindow = {
  older: 'a.time <= $<upper> and a.time > $<lower> and a.id < $<from>',
  newer: 'a.time >= $<lower> and a.time < $<upper> and a.id > $<from>',
} as const;
export const order = { older: 'desc', newer: 'asc' } as const;

/** The newest `limit` of a feed. */
export function newest(limit: number): Stretch {
  return { direction: 'older', from: highestActivityId, limit };
}
