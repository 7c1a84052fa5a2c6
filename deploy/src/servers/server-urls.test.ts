import { expect, test } from 'vitest';
import { serverUrlsOf } from './server-urls.js';

const urls = {
  TIDELINE_DATABASE_URL: 'postgres://a/b',
  TIDELINE_REDIS_URL: 'redis://a',
  TIDELINE_KAFKA_BROKERS: 'a:9092',
};

test('all three servers or none can be named', () => {
  expect(serverUrlsOf({ ...urls, PATH: '/bin' })).toEqual(urls);
  expect(serverUrlsOf({ TIDELINE_REDIS_URL: '' })).toBeUndefined();
});

test('some servers without the others are a mistake', () => {
  expect(() => serverUrlsOf({ ...urls, TIDELINE_REDIS_URL: '', TIDELINE_KAFKA_BROKERS: '' })).toThrow(
    'set TIDELINE_REDIS_URL and TIDELINE_KAFKA_BROKERS too',
  );
});
