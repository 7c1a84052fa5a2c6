import type { Panels } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { mean, orZero, quantile, rate } from './promql.js';

const statements = 'tideline_read_sql_statements';
const rebuilds = 'tideline_list_rebuild_seconds';

/** feed-api: pages, and how much of them Redis could serve. */
export function readsRow(): Panels {
  return {
    title: 'feed-api: pages',
    panels: [
      seriesPanel({
        title: 'Feed reads by strategy',
        description: 'Pages a second. hybrid is what readers get; push and pull are asked for, to compare.',
        unit: 'reqps',
        width: 8,
        queries: [
          {
            expr: orZero(rate(`${statements}_count`, 'service', 'feed', 'strategy'), 'feed-api'),
            legend: '{{feed}} {{strategy}}',
          },
        ],
      }),
      seriesPanel({
        title: 'SQL statements a page, mean',
        description:
          'Near 0: Redis serves nearly everything. A rise after a loss of Redis is to be expected and ends once the lists are ' +
          'built again. pull always asks the database.',
        unit: 'short',
        width: 8,
        queries: [{ expr: mean(statements, 'feed', 'strategy'), legend: '{{feed}} {{strategy}}' }],
        whenEmpty: 'no page yet',
      }),
      seriesPanel({
        title: 'Pages by cache outcome',
        description:
          'hit: from Redis alone. floor: began in Redis and went on in SQL, for deep pages. miss: the list was not there and is ' +
          'being built. off: Redis is away.',
        unit: 'reqps',
        width: 8,
        queries: [{ expr: rate('tideline_feed_cache_reads_total', 'outcome'), legend: '{{outcome}}' }],
        stacked: true,
      }),
      seriesPanel({
        title: 'Bodies by source',
        description: 'Activities of pages a second, by where they were found: this process, Redis or the database.',
        unit: 'rps',
        width: 8,
        queries: [{ expr: rate('tideline_bodies_read_total', 'source'), legend: '{{source}}' }],
        stacked: true,
      }),
      seriesPanel({
        title: 'Lists rebuilt and registers loaded',
        description:
          'A second. Lists are built behind a read that missed them. refused: another process was faster, or the list changed ' +
          'meanwhile. failed: see the log.',
        unit: 'ops',
        width: 8,
        queries: [
          {
            expr: orZero(rate(`${rebuilds}_count`, 'service', 'kind', 'outcome'), 'feed-api'),
            legend: 'list {{kind}} {{outcome}}',
          },
          {
            expr: orZero(rate('tideline_register_loads_total', 'service', 'kind'), 'feed-api'),
            legend: 'load {{kind}}',
          },
        ],
      }),
      seriesPanel({
        title: 'Time to rebuild a list, p95',
        description: 'Readers do not wait for it: their page comes from SQL meanwhile.',
        unit: 's',
        width: 8,
        queries: [{ expr: quantile(0.95, rebuilds, 'kind'), legend: '{{kind}}' }],
        whenEmpty: 'no list rebuilt yet',
      }),
    ],
  };
}
