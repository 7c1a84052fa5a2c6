interface Sample {
  name: string;
  labels: ReadonlyMap<string, string>;
  value: number;
}

/** What a service said at /metrics at one moment. */
export class MetricsPage {
  /** The names of all metrics, without the endings that histograms add. */
  readonly names: ReadonlySet<string>;
  readonly #samples: readonly Sample[];

  constructor(text: string) {
    const lines = text.split('\n');
    this.names = new Set(lines.flatMap((line) => /^# TYPE (\S+) /.exec(line)?.[1] ?? []));
    this.#samples = lines.flatMap(sampleOf);
  }

  /** The sum of all samples of this name with these labels. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.#samples
      .filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value),
      )
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** The sum of a name's samples for each value that a label has. */
  byLabel(name: string, label: string): Map<string, number> {
    const values = this.#samples.flatMap((sample) => (sample.name === name ? (sample.labels.get(label) ?? []) : []));
    return new Map(values.map((value) => [value, this.sum(name, { [label]: value })]));
  }

  /**
   * A quantile of a histogram without labels of its own, by straight lines within its buckets as Prometheus draws
   * them. `before` is an earlier page of the same service: what it counted is left out.
   */
  quantile(histogram: string, quantile: number, before?: MetricsPage): number {
    const earlier = before?.byLabel(`${histogram}_bucket`, 'le');
    const buckets = [...this.byLabel(`${histogram}_bucket`, 'le')]
      .map(([le, count]) => ({
        le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
        count: count - (earlier?.get(le) ?? 0),
      }))
      .sort((a, b) => a.le - b.le);
    const rank = quantile * (buckets.at(-1)?.count ?? 0);
    let lower = { le: 0, count: 0 };
    for (const bucket of buckets) {
      if (bucket.count >= rank) {
        const share = bucket.count === lower.count ? 0 : (rank - lower.count) / (bucket.count - lower.count);
        return Number.isFinite(bucket.le) ? lower.le + share * (bucket.le - lower.le) : lower.le;
      }
      lower = bucket;
    }
    return Number.NaN;
  }
}

/** Reads /metrics of the service with this operations port. */
export async function readMetrics(operationsPort: number): Promise<MetricsPage> {
  const response = await fetch(`http://127.0.0.1:${operationsPort}/metrics`);
  if (!response.ok) {
    throw new Error(`/metrics: ${response.status}`);
  }
  return new MetricsPage(await response.text());
}

function sampleOf(line: string): Sample[] {
  const [, name, labels = '', value] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) {
    return [];
  }
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text] as const);
  return [{ name, labels: new Map(pairs), value: Number(value) }];
}
