import { type Panels, services } from './dashboard-row.js';
import { seriesPanel } from './panels.js';
import { orZero, rate } from './promql.js';

const line = '{{service}} {{instance}}';
const ours = `{service=~"${services.join('|')}"}`;

/** The Node processes themselves, one line each. */
export function processRow(): Panels {
  return {
    title: 'Processes',
    panels: [
      seriesPanel({
        title: 'Event loop lag, p99',
        description: 'How late a process gets round to what is due. Above 100 ms everything it answers is late.',
        unit: 's',
        width: 6,
        queries: [{ expr: `nodejs_eventloop_lag_p99_seconds${ours}`, legend: line }],
        steps: [{ value: 0.1, color: 'red' }],
      }),
      seriesPanel({
        title: 'Memory',
        description: 'Resident memory. A line that only ever rises is a leak.',
        unit: 'bytes',
        width: 6,
        queries: [{ expr: `process_resident_memory_bytes${ours}`, legend: line }],
      }),
      seriesPanel({
        title: 'Processor',
        description: 'Of one core. JavaScript has one thread: a process near 100 % needs a second one beside it.',
        unit: 'percentunit',
        width: 6,
        queries: [{ expr: rate(`process_cpu_seconds_total${ours}`, 'service', 'instance'), legend: line }],
        steps: [{ value: 0.9, color: 'orange' }],
      }),
      seriesPanel({
        title: 'Garbage collection',
        description: 'Share of the time that is spent collecting. Above 10 % the process is short of memory.',
        unit: 'percentunit',
        width: 6,
        queries: [
          {
            expr: orZero(rate(`nodejs_gc_duration_seconds_sum${ours}`, 'service', 'instance'), services.join('|')),
            legend: line,
          },
        ],
        steps: [{ value: 0.1, color: 'orange' }],
      }),
    ],
  };
}
