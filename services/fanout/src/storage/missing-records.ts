import { timestampOf } from '@tideline/shared/activity-id';
import type { LogVersion } from '@tideline/shared/activity-record';
import type { Queryable } from '@tideline/shared/database';
import type { LoggedRecord } from '../delivery/record-batch.js';

/**
 * Of records of one slice of the log those that the event store does not have, and should: what is before the horizon of
 * retention, and what an operator discarded, is to be nowhere. Of several copies of a content the first.
 */
export async function missingRecords(database: Queryable, records: readonly LoggedRecord[]): Promise<LoggedRecord[]> {
  const first = new Set<string>();
  const contents = records.filter(({ record: { kind, id } }) => kind === 'content' && !first.has(id) && first.add(id));
  const controls = records.filter(({ record }) => record.kind !== 'content');
  const replays = records.filter(({ replayedAt }) => replayedAt !== undefined);
  const missing = new Set([
    ...(await missingContents(database, contents)),
    ...(await missingPlaces(database, 'control_activities', controls)),
    ...(await missingPlaces(database, 'replayed_records', replays)),
  ]);
  const found = await discardedRecords(database, [...missing]);
  return records.filter((logged) => missing.has(logged) && !found.has(logged));
}

// The bounds leave chunks out when it is planned, and the times lead to the rows within one.
const missingContentsSql = `
  select place::integer
  from unnest($1::uuid[]) with ordinality as r (id, place)
  where activity_time(r.id) >= (select horizon from retention)
    and not exists (
      select from activities a
      where a.time = activity_time(r.id) and a.id = r.id and a.time between $2 and $3)`;

async function missingContents(database: Queryable, contents: readonly LoggedRecord[]): Promise<LoggedRecord[]> {
  if (contents.length === 0) {
    return [];
  }
  const ids = contents.map(({ record }) => record.id);
  const times = ids.map(timestampOf);
  const bounds = [new Date(Math.min(...times)), new Date(Math.max(...times))];
  return placed(contents, await database.any<Placed>(missingContentsSql, [ids, ...bounds]));
}

async function missingPlaces(
  database: Queryable,
  table: 'control_activities' | 'replayed_records',
  records: readonly LoggedRecord[],
): Promise<LoggedRecord[]> {
  return records.length === 0
    ? []
    : placed(
        records,
        await database.any<Placed>(
          `select place::integer from ${placesSql}
           where not exists (select from ${table} t where ${sameVersion('t')})`,
          versionColumns(records),
        ),
      );
}

async function discardedRecords(database: Queryable, records: readonly LoggedRecord[]): Promise<Set<LoggedRecord>> {
  return records.length === 0
    ? new Set()
    : new Set(
        placed(
          records,
          await database.any<Placed>(
            `select place::integer from ${placesSql}
             where exists (select from dead_letter_decisions d where ${sameVersion('d')} and d.decision = 'discarded')
               and not exists (select from dead_letter_decisions d where ${sameVersion('d')} and d.decision <> 'discarded')`,
            versionColumns(records),
          ),
        ),
      );
}

const placesSql = `unnest($1::integer[], $2::integer[], $3::bigint[])
  with ordinality as r (log_generation, log_partition, log_offset, place)`;

function sameVersion(row: string): string {
  return `(${row}.log_generation, ${row}.log_partition, ${row}.log_offset)
    = (r.log_generation, r.log_partition, r.log_offset)`;
}

function versionColumns(records: readonly { version: LogVersion }[]): number[][] {
  return [
    records.map(({ version }) => version.generation),
    records.map(({ version }) => version.partition),
    records.map(({ version }) => version.offset),
  ];
}

/** Which of what was given, counted from 1. */
interface Placed {
  place: number;
}

function placed(records: readonly LoggedRecord[], rows: readonly Placed[]): LoggedRecord[] {
  return rows.flatMap(({ place }) => records[place - 1] ?? []);
}
