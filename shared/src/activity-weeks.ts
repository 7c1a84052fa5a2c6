import { timestampOf } from './activity-id.js';

/** Weeks are the chunks of activities: counted from the Unix epoch, as TimescaleDB does. */
export const weekMs = 7 * 86_400_000;

/** The week of a time in Unix milliseconds. */
export function weekOf(timestamp: number): number {
  return Math.floor(timestamp / weekMs);
}

/** The week of an activity; in SQL `activity_week`. */
export function weekOfActivity(id: string): number {
  return weekOf(timestampOf(id));
}
