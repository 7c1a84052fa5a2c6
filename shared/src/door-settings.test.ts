import { expect, test } from 'vitest';
import { readEnvironment, serverConfig, serverSettings } from './config.js';
import { doorConfig, doorSettings } from './door-settings.js';

function read(environment: NodeJS.ProcessEnv) {
  const given = readEnvironment({ ...serverSettings, ...doorSettings }, environment);
  return doorConfig(given, serverConfig(given).demo);
}

const issued = { TIDELINE_JWT_ISSUER: 'https://login.example', TIDELINE_JWT_AUDIENCE: 'tideline' };
const secret = 'x'.repeat(32);

test('without settings no tokens are taken, users and strangers have quotas, services have none', () => {
  expect(read({})).toEqual({
    tokens: undefined,
    quotas: { perUser: 50, perService: 0, perAddress: 100 },
    trustedProxies: 0,
    corsOrigins: [],
    eventLoopDelayMaxMs: 1_000,
  });
});

test('the keys of tokens are a set or a secret', () => {
  expect(read({ ...issued, TIDELINE_JWT_SECRET: secret }).tokens).toEqual({
    issuer: 'https://login.example',
    audience: 'tideline',
    keys: { secret },
  });
  expect(read({ ...issued, TIDELINE_JWT_JWKS: '/etc/keys.json' }).tokens?.keys).toEqual({ jwks: '/etc/keys.json' });
});

test.each([
  ['neither', issued],
  ['both', { ...issued, TIDELINE_JWT_JWKS: '/etc/keys.json', TIDELINE_JWT_SECRET: secret }],
  ['no issuer', { TIDELINE_JWT_AUDIENCE: 'tideline', TIDELINE_JWT_SECRET: secret }],
  ['no audience', { TIDELINE_JWT_ISSUER: 'https://login.example', TIDELINE_JWT_SECRET: secret }],
  ['a secret alone', { TIDELINE_JWT_SECRET: secret }],
])('%s is refused, naming the variables and no secret', (_what, environment) => {
  expect(() => read(environment)).toThrow(
    expect.objectContaining({
      code: 'configuration',
      message: expect.stringMatching(/TIDELINE_JWT_ISSUER.*_AUDIENCE.*_JWKS.*_SECRET/) as string,
    }) as Error,
  );
  expect(() => read(environment)).not.toThrow(secret);
});

test.each([
  ['TIDELINE_JWT_SECRET', 'x'.repeat(31)],
  ['TIDELINE_USER_QUOTA', '-1'],
  ['TIDELINE_ADDRESS_QUOTA', 'many'],
  ['TIDELINE_TRUST_PROXY', '11'],
  ['TIDELINE_CORS_ORIGINS', 'https://app.example/'],
  ['TIDELINE_CORS_ORIGINS', '*'],
  ['TIDELINE_CORS_ORIGINS', 'null'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => read({ ...issued, [name]: value })).toThrow(name);
});

test('demo mode lets the console call, unless origins are set', () => {
  expect(read({ TIDELINE_DEMO: '1' }).corsOrigins).toEqual(['http://127.0.0.1:8080', 'http://localhost:8080']);
  expect(
    read({ TIDELINE_DEMO: '1', TIDELINE_CORS_ORIGINS: 'https://a.example, https://b.example:444' }).corsOrigins,
  ).toEqual(['https://a.example', 'https://b.example:444']);
});

test('demo mode in production is refused', () => {
  expect(() => read({ TIDELINE_DEMO: '1', NODE_ENV: 'production' })).toThrow(
    /TIDELINE_DEMO=1 with NODE_ENV=production/,
  );
  expect(read({ NODE_ENV: 'production' }).corsOrigins).toEqual([]);
});
