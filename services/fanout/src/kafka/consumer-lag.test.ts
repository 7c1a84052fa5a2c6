import { createLogger } from '@tideline/shared/logger';
import { createRegistry } from '@tideline/shared/metrics';
import type { Kafka } from 'kafkajs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fanoutMetrics } from '../metrics.js';
import { ConsumerLag } from './consumer-lag.js';

/** Kafka as an administrator sees it: one partition with some records, or nothing at all. */
let waiting: number | 'away';
let activeAt: number;
let reasons: string[];
let lag: ConsumerLag;

beforeEach(() => {
  vi.useFakeTimers();
  waiting = 0;
  activeAt = performance.now();
  reasons = [];
  const ends = async () => {
    if (waiting === 'away') {
      throw new Error('ECONNREFUSED');
    }
    return [{ partition: 0, offset: String(waiting), high: String(waiting), low: '0' }];
  };
  const admin = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    fetchTopicOffsets: ends,
    fetchOffsets: async () => [{ topic: 't', partitions: [{ partition: 0, offset: '0', metadata: null }] }],
  };
  lag = new ConsumerLag({
    kafka: { admin: () => admin } as unknown as Kafka,
    topic: 't',
    groupId: 'g',
    consumer: {
      assignedPartitions: [0],
      get idleMs() {
        return performance.now() - activeAt;
      },
    },
    metrics: fanoutMetrics(createRegistry('fanout')),
    logger: createLogger('test', 'silent'),
    onFatal: (reason) => reasons.push(reason),
  });
  lag.start();
});
afterEach(async () => {
  await lag.stop();
  vi.useRealTimers();
});

test('a consumer that takes nothing of what waits for 30 s is given up', async () => {
  waiting = 3;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(reasons).toEqual([]);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(reasons).toContain('3 records wait and none was taken for 30 s');
});

test('a consumer that had nothing to do for long is not given up at the first record', async () => {
  await vi.advanceTimersByTimeAsync(300_000);
  waiting = 1;
  await vi.advanceTimersByTimeAsync(10_000);
  activeAt = performance.now();
  waiting = 0;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reasons).toEqual([]);
});

test('a consumer that Kafka was away from for long has its time when Kafka is back', async () => {
  waiting = 5;
  await vi.advanceTimersByTimeAsync(10_000);
  waiting = 'away';
  await vi.advanceTimersByTimeAsync(120_000);
  waiting = 5;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reasons).toEqual([]);
});

test('a consumer that works through a long backlog is not given up', async () => {
  for (waiting = 1_000; waiting > 900; waiting -= 1) {
    activeAt = performance.now();
    await vi.advanceTimersByTimeAsync(20_000);
  }
  expect(reasons).toEqual([]);
});
