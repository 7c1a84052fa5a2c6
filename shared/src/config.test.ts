import { expect, test } from 'vitest';
import { feedSettings, listenSettings, readEnvironment, serverSettings } from './config.js';

const settings = { ...serverSettings, ...feedSettings, ...listenSettings({ http: 8080, operations: 9080 }) };

test('without an environment the settings are those of npm start', () => {
  expect(readEnvironment(settings, {})).toEqual({
    TIDELINE_DATABASE_URL: 'postgres://tideline:tideline@127.0.0.1:15432/tideline',
    TIDELINE_REDIS_URL: 'redis://127.0.0.1:16379',
    TIDELINE_KAFKA_BROKERS: ['127.0.0.1:19092'],
    TIDELINE_NAMESPACE: 'tideline',
    TIDELINE_LOG_LEVEL: 'info',
    TIDELINE_DEMO: '0',
    TIDELINE_LISTEN_HOST: '127.0.0.1',
    TIDELINE_HTTP_PORT: 8080,
    TIDELINE_OPERATIONS_PORT: 9080,
    TIDELINE_INBOX_CAP: 500,
    TIDELINE_FOLLOWER_THRESHOLD: 10_000,
  });
});

test('what is set counts, and an empty variable is not set', () => {
  const given = { TIDELINE_KAFKA_BROKERS: 'a:1, b:2', TIDELINE_HTTP_PORT: '0', TIDELINE_INBOX_CAP: '', PATH: '/bin' };
  expect(readEnvironment(settings, given)).toMatchObject({
    TIDELINE_KAFKA_BROKERS: ['a:1', 'b:2'],
    TIDELINE_HTTP_PORT: 0,
    TIDELINE_INBOX_CAP: 500,
  });
});

test.each([
  ['TIDELINE_DATABASE_URL', 'mysql://127.0.0.1/x'],
  ['TIDELINE_DATABASE_URL', 'not a url'],
  ['TIDELINE_REDIS_URL', 'http://127.0.0.1'],
  ['TIDELINE_KAFKA_BROKERS', '127.0.0.1'],
  ['TIDELINE_KAFKA_BROKERS', 'a:1,,b:2'],
  ['TIDELINE_NAMESPACE', 'With Capitals'],
  ['TIDELINE_NAMESPACE', '1st'],
  ['TIDELINE_LOG_LEVEL', 'loud'],
  ['TIDELINE_HTTP_PORT', '65536'],
  ['TIDELINE_HTTP_PORT', '80.5'],
  ['TIDELINE_HTTP_PORT', 'eighty'],
  ['TIDELINE_OPERATIONS_PORT', '-1'],
  ['TIDELINE_INBOX_CAP', '0'],
  ['TIDELINE_INBOX_CAP', '5001'],
  ['TIDELINE_FOLLOWER_THRESHOLD', '1e99'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readEnvironment(settings, { [name]: value })).toThrow(
    expect.objectContaining({ code: 'configuration', message: expect.stringContaining(name) as string }) as Error,
  );
});

test('all that is wrong is said at once, and nothing of what was right', () => {
  const given = {
    TIDELINE_LOG_LEVEL: 'loud',
    TIDELINE_HTTP_PORT: 'eighty',
    TIDELINE_REDIS_URL: 'redis://:secret@host',
  };
  const message = (() => {
    try {
      readEnvironment(settings, given);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  })();
  expect(message).toContain('TIDELINE_LOG_LEVEL');
  expect(message).toContain('TIDELINE_HTTP_PORT');
  expect(message).not.toContain('secret');
});
