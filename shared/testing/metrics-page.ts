/** What a service's /metrics says at one moment. */
export interface MetricsPage {
  /** The names of all metrics, without the endings that histograms add. */
  names: ReadonlySet<string>;
  /** The sum over all series of `name` that have these labels. */
  sum(name: string, labels?: Record<string, string>): number;
  /** The values that a label of `name` has. */
  labelValues(name: string, label: string): string[];
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads /metrics of the service with this operations port. */
export async function readMetrics(operationsPort: number): Promise<MetricsPage> {
  const response = await fetch(`http://127.0.0.1:${operationsPort}/metrics`);
  if (!response.ok) {
    throw new Error(`/metrics: ${response.status}`);
  }
  const lines = (await response.text()).split('\n');
  const samples = lines.flatMap(parseSample);
  return {
    names: new Set(lines.flatMap((line) => /^# TYPE (\S+) /.exec(line)?.[1] ?? [])),
    sum: (name, labels = {}) =>
      samples
        .filter((sample) => sample.name === name && Object.entries(labels).every(([k, v]) => sample.labels[k] === v))
        .reduce((sum, { value }) => sum + value, 0),
    labelValues: (name, label) => [
      ...new Set(samples.filter((sample) => sample.name === name).flatMap(({ labels }) => labels[label] ?? [])),
    ],
  };
}

function parseSample(line: string): Sample[] {
  const [, name, labels = '', value] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) {
    return [];
  }
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]);
  return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
}
