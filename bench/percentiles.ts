import type { MetricsPage } from '@tideline/testing/metrics-page';

const freshnessMetric = 'tideline_freshness_seconds';

export interface Percentiles {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** In ms, from acceptance until an activity is in inboxes, as fanout's own histogram has it. */
export function freshnessBetween(before: MetricsPage, after: MetricsPage): Omit<Percentiles, 'max'> {
  const count = after.sum(`${freshnessMetric}_count`) - before.sum(`${freshnessMetric}_count`);
  const ms = (quantile: number) => after.quantile(freshnessMetric, quantile, before) * 1000;
  return { count, p50: ms(0.5), p95: ms(0.95), p99: ms(0.99) };
}
