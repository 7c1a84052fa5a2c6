/**
 * Where a stream stands, as `Last-Event-ID` carries it: in the log of its reader's bucket, and in the log of the authors
 * who are merged at read. Within one cache epoch alone: after it, nothing of both logs is left.
 */
export interface LivePosition {
  epoch: string;
  own: LogPoint;
  pulled: LogPoint;
}

/**
 * A point in a log: behind an entry (an id of a Redis stream: milliseconds, number), and then behind so many records of
 * the entry after it. So all that follows a point is there for as long as its entry is.
 */
export interface LogPoint {
  entry: string;
  records: number;
}

const pattern = /^(\d{1,19})\.(\d{1,15}-\d{1,15})\.(\d{1,9})\.(\d{1,15}-\d{1,15})\.(\d{1,9})$/;

/** Where all positions fit in. */
export const positionLengthMax = 128;

export function formatPosition({ epoch, own, pulled }: LivePosition): string {
  return `${epoch}.${own.entry}.${own.records}.${pulled.entry}.${pulled.records}`;
}

/** Undefined for what `formatPosition` did not write. */
export function parsePosition(text: string): LivePosition | undefined {
  const [, epoch, ownEntry, ownRecords, pulledEntry, pulledRecords] = pattern.exec(text) ?? [];
  if (epoch === undefined || ownEntry === undefined || pulledEntry === undefined) {
    return undefined;
  }
  return {
    epoch,
    own: { entry: ownEntry, records: Number(ownRecords) },
    pulled: { entry: pulledEntry, records: Number(pulledRecords) },
  };
}

/** Below 0 where `a` comes before `b`. */
export function comparePoints(a: LogPoint, b: LogPoint): number {
  return compareEntries(a.entry, b.entry) || a.records - b.records;
}

function compareEntries(a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  const [aMs = 0, aNumber = 0] = a.split('-').map(Number);
  const [bMs = 0, bNumber = 0] = b.split('-').map(Number);
  return aMs - bMs || aNumber - bNumber;
}
