import type { Panels } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { orZero, quantile, rate } from './promql.js';

const requests = 'tideline_http_request_duration_seconds';
const servers = 'ingest|feed-api';

/** Rates, errors and times at the public doors. */
export function httpRow(): Panels {
  return {
    title: 'HTTP: what callers see',
    panels: [
      seriesPanel({
        title: 'Requests by route',
        description: 'Answered requests a second, by route template. "unknown" are paths that no route has.',
        unit: 'reqps',
        width: 12,
        queries: [
          { expr: orZero(rate(`${requests}_count`, 'service', 'route'), servers), legend: '{{service}} {{route}}' },
        ],
        stacked: true,
      }),
      seriesPanel({
        title: 'Request time by service',
        description: 'From the first byte of the request to the end of the answer. A gap: nobody asked.',
        unit: 's',
        width: 12,
        queries: [0.5, 0.95, 0.99].map((share) => ({
          expr: quantile(share, requests, 'service'),
          legend: `{{service}} p${share * 100}`,
        })),
        whenEmpty: 'no request yet',
      }),
      seriesPanel({
        title: 'Server errors (5xx)',
        description:
          'By service, route and status. 500 is a defect: its log line has the stack. 503 is a dependency that is away or a ' +
          'process that is overloaded.',
        unit: 'reqps',
        width: 8,
        queries: [
          {
            expr: orZero(rate(`${requests}_count{status=~"5.."}`, 'service', 'route', 'status'), servers),
            legend: '{{service}} {{route}} {{status}}',
          },
        ],
      }),
      seriesPanel({
        title: 'Refused requests (4xx)',
        description: 'By service and status. Many 401: a key was revoked. Many 429: somebody is over quota.',
        unit: 'reqps',
        width: 8,
        queries: [
          {
            expr: orZero(rate(`${requests}_count{status=~"4.."}`, 'service', 'status'), servers),
            legend: '{{service}} {{status}}',
          },
        ],
      }),
      seriesPanel({
        title: 'Request time by route, p99',
        description: 'Which route is slow when the panel above says that a service is.',
        unit: 's',
        width: 8,
        queries: [{ expr: quantile(0.99, requests, 'service', 'route'), legend: '{{service}} {{route}}' }],
        whenEmpty: 'no request yet',
      }),
    ],
  };
}
