import { deadLetterTopic } from '@tideline/shared/topics';
import type { Admin } from '../setup/kafka-admin.js';
import { type Examination, fault } from './examination.js';

/** Whether records were set aside because they could not be decoded or applied. */
export async function examineDeadLetters(kafka: Admin, namespace: string, examination: Examination): Promise<void> {
  const topic = deadLetterTopic(namespace);
  const offsets = await kafka.fetchTopicOffsets(topic);
  const open = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  examination.check(
    open === 0,
    fault(
      'dead_letters',
      `${open} records were set aside on ${topic}: they were acknowledged, and could not be applied.`,
      'Read in their headers why.',
    ),
  );
}
