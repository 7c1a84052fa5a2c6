import { type DeadLetterStage, deadLetterStages } from '@tideline/shared/dead-letter-headers';
import { durationBuckets } from '@tideline/shared/metrics';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** undecided: what differs may be on its way, and did not arrive in time. */
const verifyResults = ['equal', 'different', 'undecided'] as const;
type VerifyResult = (typeof verifyResults)[number];

const refreshBuckets = [0.05, 0.25, 1, 5, 15, 60, 300];

export interface FanoutMetrics {
  /** Runs a stage of a batch and notes how long it took. */
  timed<T>(stage: string, work: () => Promise<T>): Promise<T>;
  batchTaken(records: number): void;
  /** Contents of a committed batch: those new to the database, and those that it had already. */
  persisted(fresh: number, known: number): void;
  delivered(addressed: number, inserted: number): void;
  /** When the delivered contents were accepted, in Unix milliseconds. */
  contentsDelivered(acceptedAt: readonly number[]): void;
  deadLettered(stage: DeadLetterStage): void;
  /** Records of users who were erased. */
  erasedLeftOut(records: number): void;
  batchRetried(code: string): void;
  partitionTaken(): void;
  thresholdCrossed(to: 'push' | 'pull'): void;
  lagMeasured(partition: number, records: number): void;
  lagForgotten(): void;
  /** Users whose feeds were held against the database, by result. */
  feedsVerified(users: Record<VerifyResult, number>): void;
  /** The materialised home feeds were made anew. */
  homeRefreshed(seconds: number): void;
}

export function fanoutMetrics(registry: Registry): FanoutMetrics {
  const registers = [registry];
  const stageDuration = new Histogram({
    name: 'tideline_batch_stage_duration_seconds',
    help: 'Time of one stage of a batch',
    labelNames: ['stage'],
    buckets: durationBuckets,
    registers,
  });
  const batchSize = new Histogram({
    name: 'tideline_batch_records',
    help: 'Records of a batch',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
    registers,
  });
  const persisted = new Counter({
    name: 'tideline_activities_persisted_total',
    help: 'Activities of committed batches: new, and known to the database already',
    labelNames: ['outcome'],
    registers,
  });
  const deliveries = new Counter({
    name: 'tideline_deliveries_total',
    help: 'Deliveries to inboxes, outboxes and notifications: addressed, and those new to a list that exists',
    labelNames: ['outcome'],
    registers,
  });
  const freshness = new Histogram({
    name: 'tideline_freshness_seconds',
    help: 'Time from accepted by ingest to in the inboxes',
    buckets: durationBuckets,
    registers,
  });
  const deadLetters = new Counter({
    name: 'tideline_dead_letters_total',
    help: 'Records given up',
    labelNames: ['stage'],
    registers,
  });
  const erased = new Counter({
    name: 'tideline_erased_records_total',
    help: 'Records left out, because they are of users who were erased since',
    registers,
  });
  const retries = new Counter({
    name: 'tideline_batch_retries_total',
    help: 'Batches tried again, by reason',
    labelNames: ['code'],
    registers,
  });
  const partitions = new Counter({
    name: 'tideline_partitions_taken_total',
    help: 'Fences taken: rises with every rebalance',
    registers,
  });
  const crossings = new Counter({
    name: 'tideline_threshold_crossings_total',
    help: 'Authors that changed between push and pull',
    labelNames: ['to'],
    registers,
  });
  const lag = new Gauge({
    name: 'tideline_consumer_lag_records',
    help: 'Records of a partition that are not committed yet',
    labelNames: ['partition'],
    registers,
  });
  const verified = new Counter({
    name: 'tideline_verify_readers_total',
    help: 'Users whose feeds in Redis were held against the database in the background',
    labelNames: ['result'],
    registers,
  });
  // Prometheus counts from the first value that it sees: were that the first event, the event would not be seen.
  for (const stage of deadLetterStages) {
    deadLetters.inc({ stage }, 0);
  }
  const countPersisted = (fresh: number, known: number) => {
    persisted.inc({ outcome: 'new' }, fresh);
    persisted.inc({ outcome: 'known' }, known);
  };
  const countDelivered = (addressed: number, inserted: number) => {
    deliveries.inc({ outcome: 'addressed' }, addressed);
    deliveries.inc({ outcome: 'inserted' }, inserted);
  };
  const refreshes = new Histogram({
    name: 'tideline_materialized_home_refresh_duration_seconds',
    help: 'Time of one refresh of the materialised home feeds',
    buckets: refreshBuckets,
    registers,
  });
  const countVerified = (users: Record<VerifyResult, number>) => {
    for (const result of verifyResults) {
      verified.inc({ result }, users[result]);
    }
  };
  countPersisted(0, 0);
  countDelivered(0, 0);
  countVerified({ equal: 0, different: 0, undecided: 0 });
  return {
    async timed(stage, work) {
      const end = stageDuration.startTimer({ stage });
      try {
        return await work();
      } finally {
        end();
      }
    },
    batchTaken: (records) => batchSize.observe(records),
    persisted: countPersisted,
    delivered: countDelivered,
    contentsDelivered: (acceptedAt) => {
      const now = Date.now();
      for (const at of acceptedAt) {
        freshness.observe((now - at) / 1000);
      }
    },
    deadLettered: (stage) => deadLetters.inc({ stage }),
    erasedLeftOut: (records) => erased.inc(records),
    batchRetried: (code) => retries.inc({ code }),
    partitionTaken: () => partitions.inc(),
    thresholdCrossed: (to) => crossings.inc({ to }),
    lagMeasured: (partition, records) => lag.set({ partition }, records),
    lagForgotten: () => lag.reset(),
    feedsVerified: countVerified,
    homeRefreshed: (seconds) => refreshes.observe(seconds),
  };
}
