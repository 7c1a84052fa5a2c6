import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { tokenCheck } from './json-web-tokens.js';

const issuer = 'https://login.example';
const audience = 'tideline';
const secret = 'a secret of at least thirty-two bytes';
const folder = mkdtempSync(join(tmpdir(), 'tideline-tokens-'));
const file = join(folder, 'keys.json');
const anything = () => undefined;

let rsa: { publicKey: CryptoKey; privateKey: CryptoKey };
let ec: { publicKey: CryptoKey; privateKey: CryptoKey };

beforeAll(async () => {
  rsa = await generateKeyPair('RS256', { extractable: true });
  ec = await generateKeyPair('ES256', { extractable: true });
  const keys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256' },
    { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256' },
  ];
  writeFileSync(file, JSON.stringify({ keys }));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Claims {
  sub?: string;
  iss?: string;
  aud?: string;
  exp?: number | string;
}

const good: Claims = { sub: 'ann', iss: issuer, aud: audience, exp: '1 min' };

function sign(alg: string, key: CryptoKey | Uint8Array, claims: Claims = good, kid?: string): Promise<string> {
  const { sub, iss, aud, exp } = claims;
  const token = new SignJWT({ ...(sub && { sub }), ...(iss && { iss }), ...(aud && { aud }) });
  token.setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) });
  return (exp === undefined ? token : token.setExpirationTime(exp)).sign(key);
}

const bytes = (text: string) => new TextEncoder().encode(text);
const ann = { kind: 'user', name: 'ann', userId: 'ann' };

test('tokens of both algorithms of a set are taken, and no others', async () => {
  const check = tokenCheck({ issuer, audience, keys: { jwks: file } });
  expect(await check(await sign('RS256', rsa.privateKey, good, 'rsa'), anything)).toEqual(ann);
  expect(await check(await sign('ES256', ec.privateKey, good, 'ec'), anything)).toEqual(ann);
  expect(await check(await sign('PS256', (await generateKeyPair('PS256')).privateKey), anything)).toBeUndefined();
  expect(await check(await sign('HS256', bytes(await exportSPKI(rsa.publicKey))), anything)).toBeUndefined();
  const unsigned = [{ alg: 'none' }, { sub: 'ann', iss: issuer, aud: audience, exp: Date.now() }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  expect(await check(`${unsigned}.`, anything)).toBeUndefined();
});

const now = () => Math.floor(Date.now() / 1000);

test.each<[string, () => Claims]>([
  ['without sub', () => ({ ...good, sub: '' })],
  ['with a sub that is no user id', () => ({ ...good, sub: 'a b' })],
  ['without iss', () => ({ ...good, iss: '' })],
  ['of another issuer', () => ({ ...good, iss: 'https://other.example' })],
  ['without aud', () => ({ ...good, aud: '' })],
  ['for another audience', () => ({ ...good, aud: 'other' })],
  ['that has expired', () => ({ ...good, exp: now() - 6 })],
])('a token %s is not valid', async (_what, claims) => {
  const check = tokenCheck({ issuer, audience, keys: { secret } });
  expect(await check(await sign('HS256', bytes(secret), claims()), anything)).toBeUndefined();
});

test('a token without an end is not valid; clocks may differ a little', async () => {
  const check = tokenCheck({ issuer, audience, keys: { secret } });
  const { exp: _none, ...endless } = good;
  expect(await check(await sign('HS256', bytes(secret), endless), anything)).toBeUndefined();
  expect(await check(await sign('HS256', bytes(secret), { ...good, exp: now() - 2 }), anything)).toEqual(ann);
});

test('a token of another secret or with other claims is not valid', async () => {
  const check = tokenCheck({ issuer, audience, keys: { secret } });
  expect(await check(await sign('HS256', bytes(`${secret}!`)), anything)).toBeUndefined();
  const [head, , seal] = (await sign('HS256', bytes(secret))).split('.');
  const claims = Buffer.from(JSON.stringify({ ...good, sub: 'ben', exp: now() + 60 })).toString('base64url');
  expect(await check(`${head}.${claims}.${seal}`, anything)).toBeUndefined();
});

test('a valid token is checked once, and again when it has expired', async () => {
  const check = tokenCheck({ issuer, audience, keys: { secret } });
  const beforeCheck = vi.fn();
  const token = await sign('HS256', bytes(secret), { ...good, exp: now() - 4 });
  expect(await check(token, beforeCheck)).toEqual(ann);
  expect(await check(token, beforeCheck)).toEqual(ann);
  expect(beforeCheck).toHaveBeenCalledTimes(1);
  await vi.waitUntil(async () => (await check(token, beforeCheck)) === undefined, { timeout: 3_000 });
});

test('keys behind a URL are fetched; while it does not answer nobody can say whether a token is valid', async () => {
  const { default: keys } = (await import(file, { with: { type: 'json' } })) as { default: object };
  let isUp = false;
  const server = createServer((_request, response) => {
    response.writeHead(isUp ? 200 : 500, { 'content-type': 'application/json' }).end(JSON.stringify(keys));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const check = tokenCheck({ issuer, audience, keys: { jwks: `http://127.0.0.1:${port}/keys` } });
  const token = await sign('RS256', rsa.privateKey, good, 'rsa');

  await expect(check(token, anything)).rejects.toMatchObject({ code: 'unavailable' });
  isUp = true;
  expect(await check(token, anything)).toEqual(ann);
  expect(await check(await sign('RS256', rsa.privateKey, good, 'unknown'), anything)).toBeUndefined();
  server.close();
});

test('a file that holds no keys is a wrong setting', () => {
  writeFileSync(join(folder, 'wrong.json'), '{"keys":1}');
  for (const name of ['wrong.json', 'missing.json']) {
    expect(() => tokenCheck({ issuer, audience, keys: { jwks: join(folder, name) } })).toThrow(
      expect.objectContaining({ code: 'configuration' }) as Error,
    );
  }
});
