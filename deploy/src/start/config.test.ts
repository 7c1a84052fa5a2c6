import { expect, test } from 'vitest';
import { readStartConfig } from './config.js';

test('without settings the ports are those of the contract', () => {
  const { services, reachableHost } = readStartConfig({});

  expect(services.map(({ name, environment }) => [name, environment])).toEqual([
    ['ingest', { TIDELINE_HTTP_PORT: '8081', TIDELINE_OPERATIONS_PORT: '9081' }],
    ['fanout', { TIDELINE_OPERATIONS_PORT: '9082' }],
    ['feed-api', { TIDELINE_HTTP_PORT: '8080', TIDELINE_OPERATIONS_PORT: '9080' }],
  ]);
  expect(reachableHost).toBe('127.0.0.1');
});

test('all addresses are reached over the loopback one, others over themselves', () => {
  expect(readStartConfig({ TIDELINE_LISTEN_HOST: '0.0.0.0' }).reachableHost).toBe('127.0.0.1');
  expect(readStartConfig({ TIDELINE_LISTEN_HOST: '10.0.0.7' }).reachableHost).toBe('10.0.0.7');
});

test.each([
  ['TIDELINE_INGEST_PORT', '0'],
  ['TIDELINE_FEED_API_PORT', 'many'],
  ['TIDELINE_START_SERVERS', 'docker'],
])('%s=%s is refused by its name', (name, value) => {
  expect(() => readStartConfig({ [name]: value })).toThrow(name);
});
