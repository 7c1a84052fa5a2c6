import type { EraseReport } from './erase-user.js';
import type { RemainingRecords } from './remaining-records.js';

const dayMs = 86_400_000;

/** For people: what was taken away, and what is left where. */
export function erasureText({ digest, counts, keysRemoved, isDone, isResumed, remaining }: EraseReport): string {
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(0, ...rows.map(([, count]) => String(count).length));
  return [
    ...rows.map(([table, count]) => `  ${String(count).padStart(width)}  ${table}`),
    rows.length === 0 ? 'TimescaleDB had nothing of the user.' : 'rows were taken away (of others: changed).',
    `${keysRemoved} keys are gone from Redis; it begins anew, and feeds are read from TimescaleDB once.`,
    ...(isResumed ? ['This went on where an erasure of the user was interrupted.'] : []),
    `What is remembered of the user is ${digest.slice(0, 12)}…, by which a replay leaves the user out.`,
    ...remaining.map(remainingText),
    ...(isDone
      ? []
      : [
          'fanout has not come to all that was on the log: run the same command again once it has, to look for the rest.',
        ]),
  ].join('\n');
}

function remainingText({ topic, retentionMs, segmentMs, goneBy }: RemainingRecords): string {
  return goneBy === null
    ? `Kafka keeps records on ${topic} for ever (retention.ms), those of the user among them.`
    : `Kafka keeps records of the user on ${topic} until ${goneBy.toISOString().slice(0, 16).replace('T', ' ')} UTC at the latest ` +
        `(retention.ms ${days(retentionMs)}, and segment.ms ${days(segmentMs)} until a segment is closed).`;
}

function days(ms: number): string {
  return `${Number((ms / dayMs).toFixed(2))} d`;
}
