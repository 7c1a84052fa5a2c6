/** The span over which a rate is taken: Grafana makes it at least four scrapes long. */
const rateWindow = '$__rate_interval';

/** Events a second, added up by labels. `selector` is a counter with its label matchers. */
export function rate(selector: string, ...by: string[]): string {
  return sum(`rate(${selector}[${rateWindow}])`, by);
}

/** Events of the last five minutes, added up by labels: for rare ones. Prometheus extrapolates: it is no whole number. */
export function lastMinutes(selector: string, ...by: string[]): string {
  return sum(`increase(${selector}[5m])`, by);
}

/** Events of the last hour, as a whole number. */
export function lastHour(selector: string): string {
  return `round(sum(increase(${selector}[1h]))) or vector(0)`;
}

/** A quantile of a histogram, by labels. It is no number while nothing is observed. */
export function quantile(share: number, histogram: string, ...by: string[]): string {
  return `histogram_quantile(${share}, ${rate(`${histogram}_bucket`, 'le', ...by)})`;
}

/** The mean of a histogram, by labels. It is no number while nothing is observed. */
export function mean(histogram: string, ...by: string[]): string {
  return `${rate(`${histogram}_sum`, ...by)} / ${rate(`${histogram}_count`, ...by)}`;
}

/**
 * A zero for every service that `services` matches, a regular expression, and that runs but has nothing in `expr`: counts
 * with labels are not there before the first event, and "No data" is not what somebody wants to read then.
 */
export function orZero(expr: string, services: string): string {
  return `${expr} or on (service) 0 * sum by (service) (process_start_time_seconds{service=~"${services}"})`;
}

function sum(expr: string, by: readonly string[]): string {
  return by.length === 0 ? `sum(${expr})` : `sum by (${by.join(', ')}) (${expr})`;
}
