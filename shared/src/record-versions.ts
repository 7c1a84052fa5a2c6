/**
 * How records of older releases are read. A release that only adds optional fields keeps the version: who does not know
 * them lets them through. One that changes what a record means raises it, and brings records of the version before to its
 * own form here, so that all code behind the door knows one form. Topics keep records of several releases side by side.
 */

/** Gives a record of one version the form of the next. What it does not know it leaves as it is. */
export type Upcast = (older: Readonly<Record<string, unknown>>) => Record<string, unknown>;

export interface RecordVersions {
  current: number;
  /** By the version that they begin from; without gaps up to the current one. */
  upcasts: ReadonlyMap<number, Upcast>;
}

/** No fault of the record: a release that knows its version can read it. */
export class UnknownRecordVersionError extends Error {
  constructor(version: number, oldest: number, current: number) {
    const known = oldest === current ? `only ${current}` : `${oldest} to ${current}`;
    super(`the record is of version ${version}, and this release reads ${known}: replay it with one that knows it`);
    this.name = 'UnknownRecordVersionError';
  }
}

/**
 * The record in its current form. What says no whole number as its version `v` comes back as it is, for the schema to
 * refuse. Throws `UnknownRecordVersionError`.
 */
export function upcastRecord(record: unknown, { current, upcasts }: RecordVersions): unknown {
  if (!isVersioned(record)) {
    return record;
  }
  const oldest = Math.min(current, ...upcasts.keys());
  if (record.v > current || record.v < oldest) {
    throw new UnknownRecordVersionError(record.v, oldest, current);
  }
  let upcast: Record<string, unknown> = record;
  for (let version = record.v; version < current; version += 1) {
    upcast = { ...upcasts.get(version)?.(upcast), v: version + 1 };
  }
  return upcast;
}

function isVersioned(record: unknown): record is Record<string, unknown> & { v: number } {
  return typeof record === 'object' && record !== null && Number.isInteger((record as { v?: unknown }).v);
}
