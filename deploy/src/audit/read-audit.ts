import type pg from 'pg';

/** What one statement did to one row. */
export interface AuditEntry {
  at: Date;
  /** Who connected to the database. */
  login: string;
  /** As what; null: as the login itself. */
  role: string | null;
  application: string;
  /** Of the HTTP request that it goes back to, and who made that; null: none, or not known. */
  requestId: string | null;
  callerId: string | null;
  table: string;
  operation: 'insert' | 'update' | 'delete' | 'truncate';
  /** What names the row; null: all rows. */
  key: string[] | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

export interface AuditChoice {
  /** What names this user: in the key of the row or in one of its columns. */
  user?: string | undefined;
  table?: string | undefined;
  since?: Date | undefined;
  limit: number;
}

// What a row of a projection was written from is said by its version: that record, with its request, is among the events.
// A change that left the version as it was came from something else.
const auditSql = `
  select
    entry.at, entry.login, nullif(entry.role, 'none') as role, entry.application,
    coalesce(entry.request_id, record.request_id) as "requestId", record.caller_id as "callerId",
    entry.table_name as table, entry.operation, entry.key, entry.before, entry.after
  from (
    select *
    from audit_log
    where ($1::text is null or $1 = any(key) or exists (
        select from jsonb_each_text(coalesce(after, before)) as field where field.value = $1))
      and ($2::text is null or table_name = $2)
      and ($3::timestamptz is null or at >= $3)
    order by at desc, id desc
    limit $4
  ) entry
  left join control_activities record
    on record.log_generation = (entry.after ->> 'log_generation')::integer
    and record.log_partition = (entry.after ->> 'log_partition')::integer
    and record.log_offset = (entry.after ->> 'log_offset')::bigint
    and (
      entry.before is null or (entry.before ->> 'log_generation', entry.before ->> 'log_offset')
        <> (entry.after ->> 'log_generation', entry.after ->> 'log_offset'))
  order by entry.at desc, entry.id desc`;

/** The newest entries of this kind, newest first. */
export async function readAudit(
  client: pg.ClientBase,
  { user, table, since, limit }: AuditChoice,
): Promise<AuditEntry[]> {
  const { rows } = await client.query<AuditEntry>(auditSql, [user ?? null, table ?? null, since ?? null, limit]);
  return rows;
}
