import { TidelineError } from '@tideline/shared/errors';
import type pg from 'pg';
import { readMissingEvents } from '../replay/missing-events.js';

/** What an erasure is known by while it goes on, and what it has taken away so far. */

/** Everything on the log before it: `ends` has the first offset of each partition that is not. */
export interface LogEnd {
  generation: number;
  ends: number[];
}

/** For rows with a version; the end is the parameter `first`, its generation, and the one after that, its offsets. */
export function isBeforeEnd(first: number, row = ''): string {
  return `(${row}log_generation, ${row}log_offset) < ($${first}::integer, ($${first + 1}::bigint[])[${row}log_partition + 1])`;
}

/**
 * For rows with a version, once fanout has come to all before the end: no event accounts for it, so it was of a record that is
 * gone, or was left out.
 */
export const hasNoEvent = (generation: string, partition: string, offset: string) => `
  not exists (
    select from control_activities c
    where (c.log_generation, c.log_partition, c.log_offset) = (${generation}, ${partition}, ${offset}))`;

export interface Erasure {
  id: string;
  userId: string;
  /** SHA-256 with the installation's key, in hex: what stays of the user's id. */
  digest: string;
  /** It was begun before, and interrupted. */
  isResumed: boolean;
}

/** Rows, by table. */
export type Counts = Record<string, number>;

export interface Progress {
  /** Undefined until it is in force. */
  end: LogEnd | undefined;
  beganAt: Date;
  steps: ReadonlySet<string>;
  counts: Counts;
  /** Objects of the user: types and ids, side by side. */
  objects: { types: string[]; ids: string[] };
  /** Ids of what was erased, as far as Redis may have results of it. */
  recentIds: string[];
}

/**
 * While the database has less than the log, fanout has been at places whose records are not there: a replay would bring them
 * when the erasure is long finished. Throws `configuration` then.
 */
export async function requireEvents(client: pg.Client): Promise<void> {
  const missing = await readMissingEvents(client);
  if (missing !== undefined) {
    throw new TidelineError(
      'configuration',
      `Events are missing since ${missing.since.toISOString()} (${missing.reason}): run \`npx tideline replay\` first, then erase.`,
    );
  }
}

const openSql = `
  insert into erasures (user_digest, reason) values (erasure_digest($1), $2)
  on conflict (user_digest) where finished_at is null do nothing
  returning id`;
const unfinishedSql = `
  select id, encode(user_digest, 'hex') as digest from erasures
  where user_digest = erasure_digest($1) and finished_at is null`;

/** Begins an erasure, or takes up the one that was interrupted, whose reason stays. */
export async function openErasure(client: pg.Client, userId: string, reason: string | undefined): Promise<Erasure> {
  const { rowCount: begun } = await client.query(openSql, [userId, reason]);
  const { rows } = await client.query<{ id: string; digest: string }>(unfinishedSql, [userId]);
  const [{ id, digest } = { id: '', digest: '' }] = rows;
  await client.query('insert into erasure_progress (erasure_id) values ($1) on conflict do nothing', [id]);
  return { id, userId, digest, isResumed: begun === 0 };
}

const progressSql = `
  select e.generation, e.ends::float8[] as ends, e.began_at as "beganAt", p.steps, p.counts, p.objects,
    p.recent_ids as "recentIds"
  from erasures e join erasure_progress p on p.erasure_id = e.id
  where e.id = $1`;

interface ProgressRow {
  generation: number | null;
  ends: number[] | null;
  beganAt: Date | null;
  steps: string[];
  counts: Counts;
  objects: [string, string][];
  recentIds: string[];
}

export async function readProgress(client: pg.Client, { id }: Erasure): Promise<Progress> {
  const { rows } = await client.query<ProgressRow>(progressSql, [id]);
  const [row] = rows;
  if (row === undefined) {
    throw new RangeError(`there is no erasure ${id}`);
  }
  const { generation, ends, beganAt, steps, counts, objects, recentIds } = row;
  return {
    end: generation === null || ends === null ? undefined : { generation, ends },
    beganAt: beganAt ?? new Date(),
    steps: new Set(steps),
    counts,
    objects: { types: objects.map(([type]) => type), ids: objects.map(([, objectId]) => objectId) },
    recentIds,
  };
}

/** What a step has taken away, and what has to be known of it later. */
export interface Taken {
  counts: Counts;
  objects?: [string, string][];
  recentIds?: string[];
}

const noteSql = `
  update erasure_progress
  set steps = array_append(array_remove(steps, $2), $2), counts = $3, objects = objects || $4::jsonb,
    recent_ids = recent_ids || $5::uuid[]
  where erasure_id = $1`;

/** Notes a step as done, in its transaction. */
export async function noteStep(client: pg.Client, erasure: Erasure, step: string, taken: Taken): Promise<void> {
  const { counts: before } = await readProgress(client, erasure);
  const counts = { ...before };
  for (const [table, rows] of Object.entries(taken.counts)) {
    counts[table] = (counts[table] ?? 0) + rows;
  }
  const objects = JSON.stringify(taken.objects ?? []);
  await client.query(noteSql, [erasure.id, step, counts, objects, taken.recentIds ?? []]);
}

/** Has all steps but these be taken again. */
export async function forgetSteps(client: pg.Client, { id }: Erasure, kept: readonly string[]): Promise<void> {
  await client.query(
    'update erasure_progress set steps = array(select unnest(steps) intersect select unnest($2::text[])) where erasure_id = $1',
    [id, kept],
  );
}

/** What is left of it is the digest, the place on the log, the counts and the reason. */
export async function finishErasure(client: pg.Client, { id }: Erasure): Promise<Counts> {
  const { rows } = await client.query<{ counts: Counts }>(
    `with done as (delete from erasure_progress where erasure_id = $1 returning counts)
     update erasures set finished_at = now(), counts = (select counts from done) where id = $1 returning counts`,
    [id],
  );
  return rows[0]?.counts ?? {};
}

const attemptsMax = 5;
/** A deadlock, a serialization failure: PostgreSQL has ended one of two transactions, and it can be repeated. */
const repeatable: ReadonlySet<unknown> = new Set(['40P01', '40001']);

export async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query('begin');
      const result = await work();
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      if (attempt === attemptsMax || !repeatable.has((error as { code?: unknown }).code)) {
        throw error;
      }
    }
  }
}
