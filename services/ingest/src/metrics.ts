import { durationBuckets } from '@tideline/shared/metrics';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface IngestMetrics {
  /** One acknowledged `send`. */
  batchAcknowledged(records: number, seconds: number): void;
  /** A `send` that ended without a usable acknowledgement; the lane sends its records again. */
  sendRejected(): void;
  /** A caller was told that it cannot be known whether its write happened. */
  outcomeUnknown(): void;
  /** Asks for the depth of every lane, by partition, when metrics are read. */
  observeLanes(depths: () => ReadonlyMap<number, number>): void;
}

export function ingestMetrics(registry: Registry): IngestMetrics {
  const registers = [registry];
  const duration = new Histogram({
    name: 'tideline_produce_duration_seconds',
    help: 'Time of one acknowledged send to Kafka',
    buckets: durationBuckets,
    registers,
  });
  const batchSize = new Histogram({
    name: 'tideline_produce_batch_records',
    help: 'Records of one acknowledged send to Kafka',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  });
  const rejected = new Counter({
    name: 'tideline_produce_rejected_total',
    help: 'Sends to Kafka that ended without a usable acknowledgement and were begun again',
    registers,
  });
  const unknown = new Counter({
    name: 'tideline_outcome_unknown_total',
    help: 'Writes whose caller was told that the outcome is unknown',
    registers,
  });
  return {
    batchAcknowledged(records, seconds) {
      duration.observe(seconds);
      batchSize.observe(records);
    },
    sendRejected: () => rejected.inc(),
    outcomeUnknown: () => unknown.inc(),
    observeLanes(depths) {
      new Gauge({
        name: 'tideline_lane_depth',
        help: 'Records that wait for the acknowledgement of Kafka',
        labelNames: ['partition'],
        registers,
        collect() {
          for (const [partition, records] of depths()) {
            this.set({ partition }, records);
          }
        },
      });
    },
  };
}
