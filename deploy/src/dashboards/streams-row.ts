import type { Panels } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { lastMinutes, rate } from './promql.js';

/** feed-api: feeds as they happen. */
export function streamsRow(): Panels {
  return {
    title: 'feed-api: streams',
    panels: [
      seriesPanel({
        title: 'Streams open',
        description:
          'By feed, of all processes. A process refuses those beyond TIDELINE_STREAMS_MAX with 503, and a sixth one of a user with 429.',
        unit: 'short',
        width: 8,
        queries: [{ expr: 'sum by (feed) (tideline_streams_open)', legend: '{{feed}}' }],
        stacked: true,
      }),
      seriesPanel({
        title: 'Events sent',
        description: 'A second, to all streams. activity: a delivery. delete: one that was taken back.',
        unit: 'ops',
        width: 8,
        queries: [
          {
            expr: rate('tideline_stream_events_total{event!="resync"}', 'feed', 'event'),
            legend: '{{feed}} {{event}}',
          },
        ],
        stacked: true,
      }),
      seriesPanel({
        title: 'Resyncs, and streams cut off',
        description:
          'In five minutes. resync: a reader was told to read anew, after a follow, a mute or a block of its own, or because Redis ' +
          'lost something. cut off: the reader did not keep up, and comes back by itself.',
        unit: 'short',
        width: 8,
        queries: [
          { expr: lastMinutes('tideline_stream_events_total{event="resync"}', 'feed'), legend: 'resync {{feed}}' },
          { expr: lastMinutes('tideline_streams_dropped_total', 'feed'), legend: 'cut off {{feed}}' },
        ],
      }),
    ],
  };
}
