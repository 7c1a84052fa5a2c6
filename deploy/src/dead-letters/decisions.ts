import type { Queryable } from '@tideline/shared/database';
import { digestOfValue } from '@tideline/shared/dead-letter-headers';
import type { Letter } from './letter.js';

/**
 * What was decided about a letter, and what became of it. replaying: it was about to be sent, and perhaps was; replayed: it was
 * sent; applied: and fanout has applied it.
 */
export type LetterState = 'open' | 'replaying' | 'replayed' | 'applied' | 'discarded';

export interface LetterDecision {
  state: LetterState;
  decidedAt?: Date;
  reason?: string;
}

const placesSql = 'unnest($1::integer[], $2::bigint[], $3::bigint[]) as letter (letter_partition, letter_offset, ms)';

const readSql = `
  select d.letter_partition || ':' || d.letter_offset as id, d.reason, d.decided_at as "decidedAt",
    case when d.decision <> 'discarded' and r.id is not null then 'applied' else d.decision end as state
  from ${placesSql}
  join dead_letter_decisions d on d.letter_partition = letter.letter_partition
    and d.letter_offset = letter.letter_offset and d.letter_time = to_timestamp(ms / 1000.0)
  left join replayed_records r using (log_generation, log_partition, log_offset)`;

/** By id, what was decided about these letters; nothing for those that are open. */
export async function readDecisions(
  database: Queryable,
  letters: readonly Letter[],
): Promise<Map<string, LetterDecision>> {
  const rows = await database.any<LetterDecision & { id: string; reason: string | null }>(readSql, places(letters));
  return new Map(
    rows.map(({ id, state, decidedAt, reason }) => [
      id,
      { state, ...(decidedAt && { decidedAt }), ...(reason !== null && { reason }) },
    ]),
  );
}

/** Nobody has decided, or who did was interrupted. */
export function isOpen({ state }: LetterDecision): boolean {
  return state === 'open' || state === 'replaying';
}

const decideSql = `
  insert into dead_letter_decisions (
    letter_partition, letter_offset, letter_time, decision, reason, log_generation, log_partition, log_offset, attempts,
    value_sha256)
  select letter.letter_partition, letter.letter_offset, to_timestamp(ms / 1000.0), $4, $5, log_generation, log_partition,
    log_offset, attempts, value_sha256
  from unnest(
    $1::integer[], $2::bigint[], $3::bigint[], $6::integer[], $7::integer[], $8::bigint[], $9::integer[], $10::bytea[])
    as letter (letter_partition, letter_offset, ms, log_generation, log_partition, log_offset, attempts, value_sha256)
  on conflict (letter_partition, letter_offset, letter_time) do update
    set decision = excluded.decision, reason = excluded.reason, decided_at = now()`;

/** Writes down what is decided about these letters. `reason` is for those that are discarded. */
export async function decide(
  database: Queryable,
  letters: readonly Letter[],
  decision: 'replaying' | 'replayed' | 'discarded',
  reason: string | null = null,
): Promise<void> {
  await database.none(decideSql, [
    ...places(letters),
    decision,
    reason,
    letters.map(({ version }) => version?.generation ?? null),
    letters.map(({ version }) => version?.partition ?? null),
    letters.map(({ version }) => version?.offset ?? null),
    letters.map(({ attempts }) => attempts ?? null),
    letters.map(({ message }) => digestOfValue(message.value)),
  ]);
}

const outcomeSql = `
  select count(*)::integer as sent, count(r.id)::integer as applied
  from dead_letter_decisions d
  left join replayed_records r using (log_generation, log_partition, log_offset)
  where d.decision = 'replayed' and d.decided_at >= $1`;

/** Of the letters that were replayed since then, how many fanout has applied. */
export async function countApplied(database: Queryable, since: Date): Promise<{ sent: number; applied: number }> {
  return database.one<{ sent: number; applied: number }>(outcomeSql, [since]);
}

function places(letters: readonly Letter[]): number[][] {
  return [
    letters.map(({ partition }) => partition),
    letters.map(({ offset }) => offset),
    letters.map(({ writtenAt }) => writtenAt),
  ];
}
