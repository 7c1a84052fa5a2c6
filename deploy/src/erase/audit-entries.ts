import type pg from 'pg';
import type { TimeRange } from '../rebuild/whole-steps.js';
import { type Erasure, hasNoEvent, inTransaction, noteStep, type Progress } from './erasure.js';

/** Under this name the erasure connects: what it does itself is in the audit too. */
export const eraserApplication = 'tideline-erase';

export async function chunksOfAudit(client: pg.Client): Promise<TimeRange[]> {
  const { rows } = await client.query<TimeRange>(`
    select range_start as "from", range_end as "to" from timescaledb_information.chunks
    where hypertable_schema = 'public' and hypertable_name = 'audit_log'
    order by range_start`);
  return rows;
}

/** The row, before or after, was written from a record that is gone. */
function isOfGone(row: 'before' | 'after'): string {
  const [generation = '', partition = '', offset = ''] = ['generation', 'partition', 'offset'].map(
    (part) => `(${row} ->> 'log_${part}')::bigint`,
  );
  return `(
    ${generation} > 0 and (${generation}, ${offset}) < ($5::bigint, ($6::bigint[])[${partition} + 1])
    and ${hasNoEvent(generation, partition, offset)})`;
}

/** Rows of others that are known by the id of something that is gone; that they went is in the audit by now, in its last chunk. */
const isOfTaken = `
  table_name in ('marked_notifications', 'tombstones') and (table_name, key) in (
    select table_name, key from audit_log
    where application = '${eraserApplication}' and operation = 'delete' and table_name in ('marked_notifications', 'tombstones')
      and at >= (select asked_at from erasures where id = $4))`;

const deleteSql = `
  delete from audit_log
  where at >= $2 and at < $3
    and (at < (select began_at from erasures where id = $4) or application = '${eraserApplication}')
    and ($1 = any(key) or position('"' || $1 || '"' in concat(before, after)) > 0 or ${isOfTaken}
      or $7 and (${isOfGone('before')} or ${isOfGone('after')}))`;

/**
 * In one transaction the entries of a chunk that name the user, and those of what the user did to what is of others: of
 * changes until the end, and those of the erasure. To come last, because whatever is taken away makes an entry.
 */
export async function eraseAuditEntries(
  client: pg.Client,
  erasure: Erasure,
  { end }: Progress,
  isCaughtUp: boolean,
  { from, to }: TimeRange,
  step: string,
): Promise<void> {
  await inTransaction(client, async () => {
    const values = [erasure.userId, from, to, erasure.id, end?.generation, end?.ends, isCaughtUp];
    const { rowCount } = await client.query(deleteSql, values);
    await noteStep(client, erasure, step, { counts: { audit_log: rowCount ?? 0 } });
  });
}
