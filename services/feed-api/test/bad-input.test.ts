import { createHash } from 'node:crypto';
import { highestActivityId } from '@tideline/shared/activity-id';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Whatever is wrong with a request: the right status, a stable code, JSON of one shape, and nothing of the inside. */

const ivan = { 'x-app-key': 'abc123' };
const nico = { 'x-app-key': 'abc124' };
const service = { 'x-app-key': 'demo-producer' };
const writer = { 'x-app-key': 'key-that-only-writes' };
const revoked = { 'x-app-key': 'key-that-was-revoked' };

let platform: Platform;
/** Of the second page of ivan's home feed. */
let ivansCursor: string;
let activityId: string;

beforeAll(async () => {
  platform = await startPlatform();
  await platform.database.query(
    `insert into api_keys (key_sha256, kind, name, user_id, scopes, revoked_at)
     values ($1, 'service', 'writer', null, '{write}', null), ($2, 'user', 'gone', '3', '{}', now())`,
    [sha256(writer['x-app-key']), sha256(revoked['x-app-key'])],
  );
  for (const objectId of ['first', 'second']) {
    const body = { verb: 'post', objectType: 'note', objectId };
    const posted = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { key: 'abc123', body });
    activityId = posted.id;
  }
  await platform.settle();
  const page = await call('/v1/feeds/home?limit=1', ivan);
  ivansCursor = String(page.body['nextCursor']);
});
afterAll(() => platform.stop());

function sha256(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

async function call(path: string, headers: Record<string, string>, method = 'GET'): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${platform.ports.feedApi}${path}`, { method, headers });
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(await response.text()) as Record<string, unknown>,
  };
}

async function expectRefusal(answer: Answer, status: number, code: string): Promise<void> {
  const message = expect.any(String) as string;
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status, body: { error: { code, message } } });
  expect(Object.keys(answer.body)).toEqual(['error']);
  const { details, ...rest } = answer.body['error'] as Record<string, unknown>;
  expect(Object.keys(rest).sort()).toEqual(['code', 'message']);
  expect(details ?? []).toBeInstanceOf(Array);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.headers.get('x-request-id')).not.toBeNull();
  expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.ts|\.js|<html|\bat \w+.*:\d+/i);
}

const home = '/v1/feeds/home';

test.each([
  ['no key', home, {}],
  ['an empty key', home, { 'x-app-key': '' }],
  ['a wrong key', home, { 'x-app-key': 'abc12' }],
  ['a revoked key', home, revoked],
  ['the digest of a key', home, { 'x-app-key': sha256('abc123').toString('hex') }],
  ['an unknown route without a key', '/v1/nothing', {}],
  ['/metrics without a key', '/metrics', {}],
  ['a wrong query without a key', `${home}?limit=0`, {}],
])('%s is 401 and says how to authenticate', async (_name, path, headers: Record<string, string>) => {
  const answer = await call(path, headers);
  await expectRefusal(answer, 401, 'unauthenticated');
  expect(answer.headers.get('www-authenticate')).toBe('X-App-Key');
});

test.each([
  '/v1/nothing',
  '/v1/feeds/HOME',
  '/v1/feeds/home/',
  '/v1//feeds/home',
  '/metrics',
  '/healthz',
  '/readyz',
])('%s is no route of the public port: 404', async (path) => {
  await expectRefusal(await call(path, ivan), 404, 'not_found');
});

test.each([
  ['POST', home],
  ['DELETE', home],
  ['PUT', '/v1/users/1/feed'],
  ['PATCH', `/v1/activities/${highestActivityId}`],
])('%s %s is 405 and says what is allowed', async (method, path) => {
  const answer = await call(path, ivan, method);
  await expectRefusal(answer, 405, 'method_not_allowed');
  expect(answer.headers.get('allow')?.split(', ')).toContain('GET');
});

const badQueries = [
  ...['0', '51', '100', 'abc', '1e1', '-1', '%2B5', '05', '5.0', '0x10', '', '%20', '%EF%BC%95'].map(
    (limit) => `limit=${limit}`,
  ),
  'limit',
  'limit=5&limit=5',
  'limit=5?',
  'limit=5?cursor=x',
  'limit[]=5',
  'LIMIT=5',
  'unknown=1',
  '__proto__=1',
  'constructor=1',
  '=1',
  '%ZZ=1',
];

test.each(badQueries)('?%s is 400 on every feed', async (query) => {
  await expectRefusal(await call(`${home}?${query}`, ivan), 400, 'invalid_request');
  await expectRefusal(await call(`/v1/users/1/feed?${query}`, ivan), 400, 'invalid_request');
});

test.each([
  'strategy=',
  'strategy=best',
  'strategy=PULL',
  'strategy=pull&strategy=pull',
])('?%s is no strategy: 400', async (query) => {
  await expectRefusal(await call(`${home}?${query}`, ivan), 400, 'invalid_request');
});

test('a strategy is a parameter of home alone, and an activity takes none', async () => {
  await expectRefusal(await call('/v1/users/1/feed?strategy=pull', ivan), 400, 'invalid_request');
  await expectRefusal(await call(`/v1/activities/${activityId}?limit=1`, ivan), 400, 'invalid_request');
});

/** Each of them would be taken if cursors were decoded leniently, or not at all. */
const spoiltCursors: [string, (cursor: string) => string, code?: string][] = [
  ['garbage', () => 'garbage'],
  ['an id', () => activityId],
  ['cut', (cursor) => cursor.slice(0, -2)],
  ['longer', (cursor) => `${cursor}AA`],
  ['with padding', (cursor) => `${cursor}${'='.repeat((4 - (cursor.length % 4)) % 4 || 4)}`],
  ['with a space', (cursor) => `${cursor}%20`],
  ['in the other alphabet', (cursor) => encodeURIComponent(Buffer.from(cursor, 'base64url').toString('base64'))],
  ['of the highest version', (cursor) => withByte(cursor, 0, 255)],
  ['of the other direction', (cursor) => withByte(cursor, 1, 1)],
  ['with a tampered id', (cursor) => withByte(cursor, 10, 7)],
  ['with a tampered seal', (cursor) => withByte(cursor, 33, 7)],
  ['of 1,115 characters', () => 'A'.repeat(1_115), 'invalid_request'],
];

function withByte(cursor: string, index: number, value: number): string {
  const bytes = Buffer.from(cursor, 'base64url');
  bytes[index] = (bytes[index] ?? 0) ^ value;
  return bytes.toString('base64url');
}

test.each(spoiltCursors)('a cursor that is %s is 400', async (_name, spoil, code = 'invalid_cursor') => {
  expect((await call(`${home}?cursor=${ivansCursor}`, ivan)).status).toBe(200);
  await expectRefusal(await call(`${home}?cursor=${spoil(ivansCursor)}`, ivan), 400, code);
});

test('a cursor is good for its reader and its feed alone', async () => {
  const path = `?cursor=${ivansCursor}`;
  await expectRefusal(await call(`${home}${path}`, nico), 400, 'invalid_cursor');
  await expectRefusal(await call(`${home}${path}`, { ...service, 'x-act-as': '2' }), 400, 'invalid_cursor');
  await expectRefusal(await call(`/v1/users/1/feed${path}`, ivan), 400, 'invalid_cursor');
  expect((await call(`${home}${path}`, { ...service, 'x-act-as': '1' })).status).toBe(200);
});

test.each([
  'a%20b',
  'a%00b',
  '%E2%82%AC',
  'a'.repeat(65),
  "1'--",
  'a%2Fb',
  '%ZZ',
])('%s is no user id: 400', async (userId) => {
  await expectRefusal(await call(`/v1/users/${userId}/feed`, ivan), 400, 'invalid_request');
});

test.each([
  '1',
  'g0000000-0000-7000-8000-000000000000',
  '019a0000-0000-4000-8000-000000000000',
  '%00',
])('%s is no activity id: 400', async (id) => {
  await expectRefusal(await call(`/v1/activities/${id}`, ivan), 400, 'invalid_request');
});

test('an activity that does not exist is 404, and an id is written in one way only', async () => {
  await expectRefusal(await call('/v1/activities/019a0000-0000-7000-8000-000000000000', ivan), 404, 'not_found');
  await expectRefusal(await call(`/v1/activities/${activityId.toUpperCase()}`, ivan), 400, 'invalid_request');
});

test('only a service key acts as somebody else, and it has to say as whom where that matters', async () => {
  await expectRefusal(await call(home, { ...ivan, 'x-act-as': '2' }), 403, 'forbidden');
  await expectRefusal(await call('/v1/users/1/feed', { ...ivan, 'x-act-as': '2' }), 403, 'forbidden');
  await expectRefusal(await call(home, service), 400, 'invalid_request');
  await expectRefusal(await call(home, { ...service, 'x-act-as': 'no id' }), 400, 'invalid_request');
  await expectRefusal(await call(home, { ...service, 'x-act-as': '' }), 400, 'invalid_request');
  await expectRefusal(
    await call('/v1/stats/activities?bucket=1d', { ...service, 'x-act-as': 'no id' }),
    400,
    'invalid_request',
  );
  expect((await call(home, { ...ivan, 'x-act-as': '1' })).status).toBe(200);
  expect((await call('/v1/users/1/feed', service)).status).toBe(200);
});

test('a service key without the scope read reads nothing', async () => {
  for (const path of [home, '/v1/users/1/feed', `/v1/activities/${activityId}`]) {
    await expectRefusal(await call(path, { ...writer, 'x-act-as': '1' }), 403, 'forbidden');
  }
});

test('a request that is refused changes nothing for the next one', async () => {
  const answer = await call(`${home}?limit=50`, ivan);
  expect(answer).toMatchObject({ status: 200, body: { hasMore: false, nextCursor: null } });
  expect((answer.body['items'] as unknown[]).length).toBe(2);
});
