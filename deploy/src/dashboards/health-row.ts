import { type Panels, services } from './dashboard-row.js';
import { statPanel } from './panels.js';
import { lastHour, quantile, rate } from './promql.js';

const requests = 'tideline_http_request_duration_seconds';

/** Whoever is called looks here first: anything that is not green has a row of its own below. */
export function healthRow(): Panels {
  return {
    title: 'Is it healthy?',
    panels: [
      statPanel({
        title: 'Services that answer',
        description:
          'Processes of each service that Prometheus can read. 0: none runs, or its operations port cannot be reached. ' +
          'A service that vanished altogether counts as 0 too.',
        unit: 'none',
        width: 6,
        queries: services.map((service) => ({ expr: `sum(up{job="${service}"}) or vector(0)`, legend: service })),
        lowColor: 'red',
        steps: [{ value: 1, color: 'red' }],
      }),
      statPanel({
        title: 'Failed requests',
        description:
          'Share of HTTP requests answered with 5xx. 503 means that Kafka, the database or this process is overloaded or ' +
          'away: see errors by status below, then the log lines of that service.',
        unit: 'percentunit',
        width: 3,
        queries: [
          {
            expr: `(${rate(`${requests}_count{status=~"5.."}`)} or vector(0)) / (${rate(`${requests}_count`)} > 0) or vector(0)`,
            legend: '5xx',
          },
        ],
        steps: [
          { value: 0.001, color: 'orange' },
          { value: 0.01, color: 'red' },
        ],
      }),
      statPanel({
        title: 'Request time, p99',
        description: 'The slowest hundredth of all HTTP requests takes at least so long. By service and route below.',
        unit: 's',
        width: 3,
        queries: [{ expr: quantile(0.99, requests), legend: 'p99' }],
        whenEmpty: 'idle',
        steps: [
          { value: 0.25, color: 'orange' },
          { value: 1, color: 'red' },
        ],
      }),
      statPanel({
        title: 'Lag',
        description:
          'Records on Kafka that fanout has not applied. Rising without end: fanout is too slow (start another process, at most ' +
          'one a partition) or cannot reach the database or Redis (see retries). Not measured: no fanout runs.',
        unit: 'short',
        width: 3,
        queries: [{ expr: 'sum(max by (partition) (tideline_consumer_lag_records))', legend: 'records' }],
        whenEmpty: 'not measured',
        steps: [
          { value: 1_000, color: 'orange' },
          { value: 50_000, color: 'red' },
        ],
      }),
      statPanel({
        title: 'Freshness, p99',
        description: 'From the 202 of ingest to the inboxes of followers, for the slowest hundredth of activities.',
        unit: 's',
        width: 3,
        queries: [{ expr: quantile(0.99, 'tideline_freshness_seconds'), legend: 'p99' }],
        whenEmpty: 'idle',
        steps: [
          { value: 1, color: 'orange' },
          { value: 5, color: 'red' },
        ],
      }),
      statPanel({
        title: 'Dead letters, 1 h',
        description:
          'Records that fanout gave up, which wait on the dead-letter topic: acknowledged, yet in no feed. One is one too ' +
          'many; the log line of fanout says why.',
        unit: 'none',
        width: 3,
        queries: [{ expr: lastHour('tideline_dead_letters_total'), legend: 'records' }],
        steps: [{ value: 1, color: 'red' }],
      }),
      statPanel({
        title: 'Outcome unknown, 1 h',
        description:
          'Writes whose caller was told that nobody knows whether they happened: Kafka or the database did not answer in ' +
          'time. Callers may repeat them.',
        unit: 'none',
        width: 3,
        queries: [{ expr: lastHour('tideline_outcome_unknown_total'), legend: 'writes' }],
        steps: [{ value: 1, color: 'orange' }],
      }),
    ],
  };
}
