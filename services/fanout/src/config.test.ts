import { expect, test } from 'vitest';
import { readConfig } from './config.js';

test('fanout reads its own settings and the shared ones', () => {
  const given = {
    TIDELINE_PARTITION_CONCURRENCY: '2',
    TIDELINE_FOLLOWER_THRESHOLD: '5',
    TIDELINE_OPERATIONS_PORT: '0',
  };
  expect(readConfig(given)).toMatchObject({
    partitionConcurrency: 2,
    followerThreshold: 5,
    operationsPort: 0,
    inboxCap: 500,
    verifyIntervalMs: 60_000,
    auditDays: 30,
  });
  expect(readConfig({}).operationsPort).toBe(9082);
  expect(readConfig({ TIDELINE_VERIFY_INTERVAL_MS: '0' }).verifyIntervalMs).toBe(0);
});

test.each(['TIDELINE_PARTITION_CONCURRENCY', 'TIDELINE_FOLLOWER_CACHE_SIZE'])('%s must be a count', (name) => {
  for (const value of ['0', '-1', '1.5', 'many', '1000000000000']) {
    expect(() => readConfig({ [name]: value })).toThrow(name);
  }
});
