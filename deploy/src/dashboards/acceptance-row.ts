import type { Panels } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { lastMinutes, mean, quantile, rate } from './promql.js';

/** What one lane takes before it refuses; ingest has it as `laneLimits.recordsMax`. */
const laneRecordsMax = 10_000;

/** ingest: from an accepted request to the acknowledgement of Kafka. */
export function acceptanceRow(): Panels {
  return {
    title: 'ingest: onto Kafka',
    panels: [
      seriesPanel({
        title: 'Records acknowledged',
        description: 'Records a second that Kafka has on all replicas: activities, follows, deletes, users.',
        unit: 'wps',
        width: 6,
        queries: [{ expr: rate('tideline_produce_batch_records_sum'), legend: 'records' }],
      }),
      seriesPanel({
        title: 'Time of one send to Kafka',
        description: 'From sending a batch to its acknowledgement by all replicas. Every write waits at least so long.',
        unit: 's',
        width: 6,
        queries: [0.5, 0.99].map((share) => ({
          expr: quantile(share, 'tideline_produce_duration_seconds'),
          legend: `p${share * 100}`,
        })),
        whenEmpty: 'no send yet',
      }),
      seriesPanel({
        title: 'Lane depth and batches',
        description:
          'Records of a partition that wait for their acknowledgement, and records of one send. A lane that is full answers ' +
          '503 until Kafka takes more.',
        unit: 'short',
        width: 6,
        queries: [
          { expr: 'max by (partition) (tideline_lane_depth)', legend: 'partition {{partition}}' },
          { expr: mean('tideline_produce_batch_records'), legend: 'records of a send' },
        ],
        steps: [{ value: laneRecordsMax, color: 'red' }],
      }),
      seriesPanel({
        title: 'Rejected sends and unknown outcomes, 5 min',
        description:
          'Sends that ended without an acknowledgement are begun again, so these cost time, not data. An unknown outcome is a ' +
          'caller who was told to find out.',
        unit: 'none',
        width: 6,
        queries: [
          { expr: lastMinutes('tideline_produce_rejected_total'), legend: 'rejected sends' },
          { expr: lastMinutes('tideline_outcome_unknown_total'), legend: 'unknown outcomes' },
        ],
      }),
    ],
  };
}
