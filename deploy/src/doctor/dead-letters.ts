import { deadLetterTopic } from '@tideline/shared/topics';
import type pg from 'pg';
import type { Admin } from '../setup/kafka-admin.js';
import { type Examination, fault } from './examination.js';

const countDecided = `
  select count(*)::integer as decided from dead_letter_decisions d
  join unnest($1::integer[], $2::bigint[], $3::bigint[]) as kept (letter_partition, low, high) using (letter_partition)
  where d.decision <> 'replaying' and d.letter_offset >= kept.low and d.letter_offset < kept.high`;

/** Whether records were set aside because they could not be decoded or applied, and nobody has decided about them. */
export async function examineDeadLetters(
  { database, kafka }: { database: pg.Client | undefined; kafka: Admin },
  namespace: string,
  examination: Examination,
): Promise<void> {
  const topic = deadLetterTopic(namespace);
  const offsets = await kafka.fetchTopicOffsets(topic);
  const letters = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  const decided = await database?.query<{ decided: number }>(countDecided, [
    offsets.map(({ partition }) => partition),
    offsets.map(({ low }) => low),
    offsets.map(({ high }) => high),
  ]);
  const open = letters - (decided?.rows[0]?.decided ?? 0);
  examination.check(
    open <= 0,
    fault(
      'dead_letters',
      `${open} records were set aside on ${topic}: they were acknowledged, and could not be applied.`,
      '`npx tideline dead-letters list` says why; replay or discard them.',
    ),
  );
}
