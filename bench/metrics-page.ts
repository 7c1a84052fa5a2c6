interface Sample {
  name: string;
  labels: ReadonlyMap<string, string>;
  value: number;
}

/** What a service answered at /metrics. */
export class MetricsPage {
  readonly #samples: readonly Sample[];

  constructor(text: string) {
    this.#samples = text.split('\n').flatMap(sampleOf);
  }

  /** The sum of all samples of this name with these labels. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.#matching(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** The sum of a name's samples for each value of a label. */
  byLabel(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, value } of this.#matching(name, {})) {
      const key = labels.get(label) ?? '';
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
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

  #matching(name: string, wanted: Record<string, string>): Sample[] {
    return this.#samples.filter(
      (sample) =>
        sample.name === name && Object.entries(wanted).every(([label, value]) => sample.labels.get(label) === value),
    );
  }
}

function sampleOf(line: string): Sample[] {
  const [, name, labels = '', value] = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) {
    return [];
  }
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text] as const);
  return [{ name, labels: new Map(pairs), value: Number(value) }];
}
