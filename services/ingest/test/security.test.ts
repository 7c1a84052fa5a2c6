import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { TokenIssuer } from '@tideline/testing/token-issuer';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * What an attacker may try at the door where things are written: each case with exactly its answer. Reading has its own
 * in feed-api/test/security.test.ts; slow senders theirs in slow-senders.test.ts; keys that must not be found anywhere
 * in raw-keys.test.ts; Kafka lost in servers-away.test.ts; the smaller mistakes of callers in bad-input.test.ts.
 */

let platform: Platform;
let issuer: TokenIssuer;

beforeAll(async () => {
  issuer = await TokenIssuer.create();
  platform = await startPlatform({ fanout: false, door: { tokens: issuer.config } });
  await platform.database.query(
    `insert into api_keys (key_sha256, kind, name, user_id, scopes, revoked_at)
     values (sha256('revoked'), 'user', 'ivan', '1', '{}', now()), (sha256('reader'), 'service', 'r', null, '{read}', null)`,
  );
});
afterAll(async () => {
  await platform.stop();
  issuer.close();
});

const activities = '/v1/activities';
const post = { verb: 'post', objectType: 'note', objectId: '1' };
const json = { 'content-type': 'application/json' };
const ivan = { 'x-app-key': 'abc123' };
const challenge = 'X-App-Key, Bearer realm="tideline"';

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

async function send(
  path: string,
  headers: Record<string, string>,
  body: unknown = post,
  method = 'POST',
): Promise<Answer> {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const response = await fetch(`http://127.0.0.1:${platform.ports.ingest}${path}`, {
    method,
    headers,
    ...(method === 'GET' ? {} : { body: isRaw ? new Uint8Array(Buffer.from(body)) : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function expectRefusal(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(`{"error":{"code":"${code}"`)]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(answer.text).not.toMatch(/node_modules|\.ts\b|\.js\b|<html/);
}

test.each<[string, () => Promise<Record<string, string>> | Record<string, string>]>([
  ['no credential', () => ({})],
  ['a wrong key', () => ({ 'x-app-key': 'abc12' })],
  ['an empty key', () => ({ 'x-app-key': '' })],
  ['a revoked key', () => ({ 'x-app-key': 'revoked' })],
  ['two keys', () => ({ 'x-app-key': 'abc123, abc124' })],
  ['a key as a password', () => ({ authorization: `Basic ${Buffer.from('ivan:abc123').toString('base64')}` })],
  ['a key as a token', () => ({ authorization: 'Bearer abc123' })],
  ['a token with alg none', async () => bearer(await issuer.unsigned('1'))],
  ['a token signed with the public key as HS256 secret', async () => bearer(await issuer.signedWithPublicKey('1'))],
  ['a token signed by somebody else', async () => bearer(await issuer.signedBySomebodyElse('1'))],
  ['an expired token', async () => bearer(await issuer.valid('1', { expiresInS: -6 }))],
  ['a token for another audience', async () => bearer(await issuer.valid('1', { audience: 'other' }))],
  ['a token of another issuer', async () => bearer(await issuer.valid('1', { issuer: 'https://other.example' }))],
  ['a token whose sub is no user id', async () => bearer(await issuer.valid('a b'))],
])('%s: 401 unauthenticated, with WWW-Authenticate', async (_case, headers) => {
  const answer = await send(activities, { ...json, ...(await headers()) });
  expectRefusal(answer, 401, 'unauthenticated');
  expect(answer.headers.get('www-authenticate')).toBe(challenge);
});

function bearer(token: string) {
  return { authorization: `Bearer ${token}` };
}

test('a valid token acts as its user, and for nobody else', async () => {
  const token = { ...json, ...bearer(await issuer.valid('1')) };
  expect((await send(activities, token)).status).toBe(202);
  expectRefusal(await send(activities, token, { ...post, actorId: '2' }), 403, 'forbidden');
  expectRefusal(await send('/v1/follows', token, [{ followerId: '1', followeeId: '2' }]), 403, 'forbidden');
  expectRefusal(await send(activities, { ...token, ...ivan }), 400, 'invalid_request');
});

/** Sent by ivan as JSON unless the headers say otherwise. */
type Case = [what: string, path: string, body: unknown, status: number, code: string, headers?: Record<string, string>];

const forbidden: Case[] = [
  ["somebody else's actorId", activities, { ...post, actorId: '2' }, 403, 'forbidden'],
  ["somebody else's actorId among others", activities, [post, { ...post, actorId: '2' }], 403, 'forbidden'],
  ['X-Act-As by a user key', activities, post, 403, 'forbidden', { 'x-act-as': '2' }],
  ['a user key on the route of services', '/v1/follows', [{ followerId: '1', followeeId: '2' }], 403, 'forbidden'],
  ['a service key without the scope', activities, { ...post, actorId: '1' }, 403, 'forbidden', key('reader')],
];

const unreadable: Case[] = [
  ['an unknown field', activities, { ...post, admin: true }, 400, 'invalid_request'],
  ['__proto__', activities, withMetadata('{"__proto__":{"admin":true}}'), 400, 'invalid_request'],
  ['__proto__ deep inside', activities, withMetadata('{"a":[{"b":{"__proto__":{}}}]}'), 400, 'invalid_request'],
  ['constructor deep inside', activities, withMetadata('{"a":[{"constructor":{}}]}'), 400, 'invalid_request'],
  ['malformed JSON', activities, '{"verb":', 400, 'invalid_request'],
  ['invalid UTF-8', activities, Buffer.from([0x22, 0xc3, 0x28, 0x22]), 400, 'invalid_request'],
  ['NUL', activities, { ...post, objectTitle: 'a\0b' }, 400, 'invalid_request'],
  ['nesting of 9', activities, withMetadata(`${'{"n":'.repeat(8)}1${'}'.repeat(8)}`), 400, 'invalid_request'],
  ['nesting of 5,000', activities, withMetadata('['.repeat(5_000) + ']'.repeat(5_000)), 400, 'invalid_request'],
  ['no content type', activities, '{}', 415, 'unsupported_media_type', { 'content-type': '' }],
  ['text', activities, '{}', 415, 'unsupported_media_type', { 'content-type': 'text/plain' }],
  ['a form', activities, 'a=1', 415, 'unsupported_media_type', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['UTF-16', activities, '{}', 415, 'unsupported_media_type', { 'content-type': 'application/json; charset=utf-16' }],
  ['an activity of 64 KiB and more', activities, withMetadata(text(65_536)), 413, 'payload_too_large'],
  ['a batch of 4 MiB and more', activities, `[${text(4_194_304)}]`, 413, 'payload_too_large'],
  ['a gzip bomb of 200 MB', activities, bomb(), 413, 'payload_too_large', { 'content-encoding': 'gzip' }],
  ['what is not gzip', activities, 'text', 400, 'invalid_request', { 'content-encoding': 'gzip' }],
];

test.each([...forbidden, ...unreadable])('%s: %s', async (_what, path, body, status, code, headers = {}) => {
  expectRefusal(await send(path, { ...ivan, ...json, ...headers }, body), status, code);
});

test('what is no route, or not with this method, is refused in JSON', async () => {
  expectRefusal(await send('/metrics', ivan, undefined, 'GET'), 404, 'not_found');
  expectRefusal(await send('/metrics', {}, undefined, 'GET'), 401, 'unauthenticated');
  const answer = await send(activities, ivan, undefined, 'GET');
  expectRefusal(answer, 405, 'method_not_allowed');
  expect(answer.headers.get('allow')).toBe('POST');
  const large = await send(activities, { ...ivan, 'x-large': randomBytes(20_000).toString('hex') });
  expect([large.status, large.text]).toEqual([431, expect.stringContaining('"code":"headers_too_large"')]);
});

function key(text: string) {
  return { 'x-app-key': text };
}

function withMetadata(metadata: string): string {
  return `{"verb":"post","objectType":"note","objectId":"1","metadata":${metadata}}`;
}

function text(length: number): string {
  return `"${'x'.repeat(length)}"`;
}

function bomb(): Buffer {
  const one = gzipSync(Buffer.alloc(20_000_000, ' '));
  return Buffer.concat(Array.from({ length: 10 }, () => one));
}
