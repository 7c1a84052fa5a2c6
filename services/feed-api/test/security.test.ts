import { type Platform, startPlatform } from '@tideline/testing/platform';
import { TokenIssuer } from '@tideline/testing/token-issuer';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * What an attacker may try at the door where feeds are read: each case with exactly its answer. Writing has its own in
 * ingest/test/security.test.ts, and quotas theirs in quotas.test.ts here.
 */

const consoleOrigin = 'https://console.example';
const challenge = 'X-App-Key, Bearer realm="tideline"';

let platform: Platform;
let issuer: TokenIssuer;
/** Of the second page of ivan's home feed. */
let cursor: string;

beforeAll(async () => {
  issuer = await TokenIssuer.create();
  platform = await startPlatform({ door: { tokens: issuer.config, corsOrigins: [consoleOrigin] } });
  await platform.database.query(
    `insert into api_keys (key_sha256, kind, name, user_id, scopes)
     values (sha256('writer'), 'service', 'writer', null, '{write}')`,
  );
  for (const objectId of ['first', 'second']) {
    const body = { verb: 'post', objectType: 'note', objectId };
    await platform.ingest.succeed('POST', '/v1/activities', { key: 'abc123', body });
  }
  await platform.settle();
  const { body } = await platform.feedApi.request<{ nextCursor: string }>('GET', `${home}?limit=1`, { key: 'abc123' });
  cursor = body.nextCursor;
});
afterAll(async () => {
  await platform.stop();
  issuer.close();
});

const home = '/v1/feeds/home';
const ivan = { 'x-app-key': 'abc123' };
const nico = { 'x-app-key': 'abc124' };

async function call(path: string, headers: Record<string, string>, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${platform.ports.feedApi}${path}`, { method, headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

type Answer = Awaited<ReturnType<typeof call>>;

function expectRefusal(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(`{"error":{"code":"${code}"`)]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
}

type Case = [what: string, path: string, headers: () => Promise<object> | object, status: number, code: string];

test.each<Case>([
  ['no credential', home, () => ({}), 401, 'unauthenticated'],
  ['a wrong key', home, () => ({ 'x-app-key': 'abc12' }), 401, 'unauthenticated'],
  ['alg none', home, async () => bearer(await issuer.unsigned('1')), 401, 'unauthenticated'],
  ['a public key as secret', home, async () => bearer(await issuer.signedWithPublicKey('1')), 401, 'unauthenticated'],
  ['an expired token', home, async () => bearer(await issuer.valid('1', { expiresInS: -6 })), 401, 'unauthenticated'],
  ['another audience', home, async () => bearer(await issuer.valid('1', { audience: 'x' })), 401, 'unauthenticated'],
  ['a key and a token', home, async () => ({ ...bearer(await issuer.valid('1')), ...ivan }), 400, 'invalid_request'],
  ["another user's home feed", home, () => ({ ...ivan, 'x-act-as': '2' }), 403, 'forbidden'],
  ['a service key without the scope', home, () => ({ 'x-app-key': 'writer', 'x-act-as': '1' }), 403, 'forbidden'],
  ['limit=0', `${home}?limit=0`, () => ivan, 400, 'invalid_request'],
  ['limit=1e9', `${home}?limit=1e9`, () => ivan, 400, 'invalid_request'],
  ['limit=1000000000', `${home}?limit=1000000000`, () => ivan, 400, 'invalid_request'],
  ['limit=NaN', `${home}?limit=NaN`, () => ivan, 400, 'invalid_request'],
  ['limit twice', `${home}?limit=1&limit=1`, () => ivan, 400, 'invalid_request'],
  ['an unknown parameter', `${home}?__proto__=1`, () => ivan, 400, 'invalid_request'],
  ['/metrics', '/metrics', () => ivan, 404, 'not_found'],
  ['an unknown route', '/v1/nothing', () => ivan, 404, 'not_found'],
])('%s: %s', async (_what, path, headers, status, code) => {
  const answer = await call(path, (await headers()) as Record<string, string>);
  expectRefusal(answer, status, code);
  expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? challenge : null);
});

function bearer(token: string) {
  return { authorization: `Bearer ${token}` };
}

test("whether another user exists cannot be told from the answer about that user's home feed", async () => {
  const token = bearer(await issuer.valid('1'));
  for (const credential of [ivan, token]) {
    const [known, unknown] = await Promise.all(
      ['2', 'nobody'].map((userId) => call(home, { ...credential, 'x-act-as': userId })),
    );
    expect([known?.status, known?.text]).toEqual([unknown?.status, unknown?.text]);
  }
});

test('a cursor that is tampered with, of somebody else or of another version is refused', async () => {
  expect((await call(`${home}?cursor=${cursor}`, ivan)).status).toBe(200);
  const bytes = Buffer.from(cursor, 'base64url');
  for (const index of [0, 10, bytes.length - 1]) {
    const spoilt = Buffer.from(bytes);
    spoilt[index] = (spoilt[index] ?? 0) ^ 1;
    expectRefusal(await call(`${home}?cursor=${spoilt.toString('base64url')}`, ivan), 400, 'invalid_cursor');
  }
  expectRefusal(await call(`${home}?cursor=${cursor}`, nico), 400, 'invalid_cursor');
  expectRefusal(await call(`/v1/users/1/feed?cursor=${cursor}`, ivan), 400, 'invalid_cursor');
});

test('a token reads as its user, and /me shows the very credential that was presented', async () => {
  const token = await issuer.valid('1');
  const page = await call(home, bearer(token));
  expect([page.status, page.text]).toEqual([200, (await call(home, ivan)).text]);
  expect(JSON.parse((await call('/me', bearer(token))).text)).toMatchObject({ id: '1', auth_token: token });
  expect(JSON.parse((await call('/me', ivan)).text)).toMatchObject({ id: '1', auth_token: 'abc123' });
});

const preflight = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-app-key' };

test('scripts of listed origins may call; a preflight needs no key', async () => {
  const allowed = await call(home, { origin: consoleOrigin, ...preflight }, 'OPTIONS');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe(consoleOrigin);
  expect(allowed.headers.get('access-control-allow-headers')).toContain('X-App-Key');
  const answer = await call(home, { origin: consoleOrigin, ...ivan });
  expect(answer.headers.get('access-control-allow-origin')).toBe(consoleOrigin);
  expect(answer.headers.get('access-control-expose-headers')).toContain('ETag');
  expect(answer.headers.get('vary')).toContain('Origin');
});

test.each([
  'https://other.example',
  'https://console.example.other.example',
  'http://console.example',
  'null',
])('scripts of %s may not', async (origin) => {
  for (const answer of [
    await call(home, { origin, ...preflight }, 'OPTIONS'),
    await call(home, { origin, ...ivan }),
    await call(home, { origin }),
  ]) {
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  }
});

test('HEAD is GET without a body, and OPTIONS says what there is to who may know it', async () => {
  const head = await call(home, ivan, 'HEAD');
  expect([head.status, head.text, head.headers.get('etag')]).toEqual([
    200,
    '',
    (await call(home, ivan)).headers.get('etag'),
  ]);
  const options = await call(home, ivan, 'OPTIONS');
  expect([options.status, options.text, options.headers.get('allow')]).toEqual([204, '', 'GET, HEAD, OPTIONS']);
  expectRefusal(await call(home, {}, 'OPTIONS'), 401, 'unauthenticated');
  expectRefusal(await call('/v1/nothing', ivan, 'OPTIONS'), 404, 'not_found');
});

test('answers say what browsers may do with them', async () => {
  const { headers } = await call(home, ivan);
  expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-powered-by')).toBeNull();
  const docs = await call('/docs/', {});
  expect(docs.headers.get('content-security-policy')).toContain("script-src 'self'");
});
