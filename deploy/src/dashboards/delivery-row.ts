import type { Panels } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { lastMinutes, mean, orZero, quantile, rate } from './promql.js';

const stages = 'tideline_batch_stage_duration_seconds';

/** fanout: from Kafka into TimescaleDB and the inboxes. */
export function deliveryRow(): Panels {
  return {
    title: 'fanout: into the feeds',
    panels: [
      seriesPanel({
        title: 'Lag by partition',
        description:
          'Records of each partition that are not committed yet. One partition alone: one author posts more than one process ' +
          'can deliver, or a record is being retried. All: fanout is too slow or cannot work.',
        unit: 'short',
        width: 8,
        queries: [
          { expr: 'max by (partition) (tideline_consumer_lag_records)', legend: 'partition {{partition}}' },
          { expr: 'sum(max by (partition) (tideline_consumer_lag_records))', legend: 'total' },
        ],
        whenEmpty: 'not measured: no fanout runs',
      }),
      seriesPanel({
        title: 'Freshness',
        description: 'From accepted by ingest to in the inboxes. It grows with lag; a gap: nothing was posted.',
        unit: 's',
        width: 8,
        queries: [0.5, 0.99].map((share) => ({
          expr: quantile(share, 'tideline_freshness_seconds'),
          legend: `p${share * 100}`,
        })),
        whenEmpty: 'no activity yet',
      }),
      seriesPanel({
        title: 'Activities persisted',
        description:
          'A second, committed to TimescaleDB. Known ones were there before: sent twice by their producer, or taken twice by ' +
          'fanout after a restart.',
        unit: 'wps',
        width: 8,
        queries: [{ expr: rate('tideline_activities_persisted_total', 'outcome'), legend: '{{outcome}}' }],
      }),
      seriesPanel({
        title: 'Deliveries',
        description:
          'A second. Addressed: one for each inbox and outbox that an activity belongs to. Inserted: those new to a list that ' +
          'is in Redis; the rest had it already, or the list will be built when somebody reads it.',
        unit: 'wps',
        width: 8,
        queries: [{ expr: rate('tideline_deliveries_total', 'outcome'), legend: '{{outcome}}' }],
      }),
      seriesPanel({
        title: 'Time of a batch by stage, p95',
        description:
          'Which step of a batch is slow: persist and followers are TimescaleDB, bodies and deliver are Redis.',
        unit: 's',
        width: 8,
        queries: [{ expr: quantile(0.95, stages, 'stage'), legend: '{{stage}}' }],
        whenEmpty: 'no batch yet',
      }),
      seriesPanel({
        title: 'Where the time goes',
        description:
          'Seconds that batches spend in each stage, a second of time. 1 is one batch at work all the time; partitions work ' +
          'side by side.',
        unit: 'none',
        width: 8,
        queries: [
          { expr: orZero(rate(`${stages}_sum`, 'service', 'stage'), 'fanout'), legend: '{{service}} {{stage}}' },
        ],
        stacked: true,
      }),
      seriesPanel({
        title: 'Records of a batch, mean',
        description: 'Larger batches are cheaper for each record. It rises by itself when there is lag.',
        unit: 'short',
        width: 8,
        queries: [{ expr: mean('tideline_batch_records'), legend: 'records' }],
        whenEmpty: 'no batch yet',
      }),
      seriesPanel({
        title: 'Dead letters and retries, 5 min',
        description:
          'Dead letters are records that can never be applied. Retries are batches that wait for what they need: database, ' +
          'cache_refused and such say for what.',
        unit: 'none',
        width: 8,
        queries: [
          { expr: lastMinutes('tideline_dead_letters_total', 'stage'), legend: 'dead letter: {{stage}}' },
          {
            expr: orZero(lastMinutes('tideline_batch_retries_total', 'service', 'code'), 'fanout'),
            legend: 'retry: {{code}}',
          },
        ],
      }),
      seriesPanel({
        title: 'Partitions taken and threshold crossings, 5 min',
        description:
          'Partitions are taken when fanout starts and whenever processes share them anew; again and again means that one ' +
          'keeps being thrown out. Crossings are authors that changed between push and pull.',
        unit: 'none',
        width: 8,
        queries: [
          { expr: lastMinutes('tideline_partitions_taken_total'), legend: 'partitions taken' },
          {
            expr: orZero(lastMinutes('tideline_threshold_crossings_total', 'service', 'to'), 'fanout'),
            legend: 'crossed to {{to}}',
          },
        ],
      }),
      seriesPanel({
        title: 'Feeds held against the database, 5 min',
        description:
          'Users whose lists in Redis fanout compared with the naive pull in the background. Different: a defect; the log ' +
          'line of fanout has reader and ids, and "npx tideline verify --all --repair" mends it. Undecided: something ' +
          'was on its way for too long, see lag.',
        unit: 'none',
        width: 24,
        queries: [{ expr: lastMinutes('tideline_verify_readers_total', 'result'), legend: '{{result}}' }],
      }),
    ],
  };
}
