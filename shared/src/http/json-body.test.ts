import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../logger.js';
import { errorResponse } from './error-response.js';
import { jsonBody, parseJson } from './json-body.js';

const itemSizeMaxBytes = 100;
const arraySizeMaxBytes = 1_000;

let server: Server;

beforeAll(async () => {
  const app = express();
  app.post('/', ...jsonBody(itemSizeMaxBytes, arraySizeMaxBytes), (request, response) => {
    response.json({ body: request.body as unknown });
  });
  app.use(errorResponse(createLogger('test', 'silent')));
  server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
});

async function send(
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; code?: string }> {
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });
  const answer = (await response.json()) as { error?: { code: string } };
  return answer.error === undefined
    ? { status: response.status }
    : { status: response.status, code: answer.error.code };
}

/** An object or an array of exactly so many bytes of JSON. */
function ofSize(bytes: number, empty: '{"a":""}' | '[""]'): string {
  return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`);
}

test('one item has its limit, an array of items a larger one', async () => {
  expect(await send(ofSize(itemSizeMaxBytes, '{"a":""}'))).toEqual({ status: 200 });
  expect(await send(ofSize(itemSizeMaxBytes + 1, '{"a":""}'))).toEqual({ status: 413, code: 'payload_too_large' });
  expect(await send(ofSize(arraySizeMaxBytes, '[""]'))).toEqual({ status: 200 });
  expect(await send(ofSize(arraySizeMaxBytes + 1, '[""]'))).toEqual({ status: 413, code: 'payload_too_large' });
});

test('what is compressed counts as it is once unpacked', async () => {
  const headers = { 'content-encoding': 'gzip' };
  expect(await send(gzipSync(ofSize(arraySizeMaxBytes, '[""]')), headers)).toEqual({ status: 200 });
  expect(await send(gzipSync(ofSize(100_000, '[""]')), headers)).toEqual({ status: 413, code: 'payload_too_large' });
  expect(await send('[]', { 'content-encoding': 'unknown' })).toEqual({ status: 415, code: 'unsupported_media_type' });
  expect(await send('this is not gzip', headers)).toEqual({ status: 400, code: 'invalid_request' });
});

test.each([
  ['text/plain', 415],
  ['application/x-www-form-urlencoded', 415],
  ['application/json; charset=latin1', 415],
  ['application/jsonp', 415],
  ['application/json; charset=utf-8', 200],
  ['Application/JSON;charset="UTF-8"', 200],
])('the content type %s is %i', async (type, status) => {
  expect((await send('{}', { 'content-type': type })).status).toBe(status);
});

test('no body is a bad request', async () => {
  expect(await send('')).toEqual({ status: 400, code: 'invalid_request' });
});

function nested(levels: number, inner = '1'): string {
  return '{"a":'.repeat(levels) + inner + '}'.repeat(levels);
}

test('eight levels are read and nine are not, however they are made and wherever they stand', () => {
  expect(() => parseJson(Buffer.from(nested(8)))).not.toThrow();
  expect(() => parseJson(Buffer.from(nested(7, '[1]')))).not.toThrow();
  expect(() => parseJson(Buffer.from(`[${nested(8)}]`))).not.toThrow();
  for (const text of [nested(9), nested(8, '[]'), nested(8, '{}'), `[${nested(9)}]`, `[1,${nested(9)},1]`]) {
    expect(() => parseJson(Buffer.from(text))).toThrow('nested deeper than 8 levels');
  }
});

test('neither depth nor width overflows the stack', () => {
  const deep = 50_000;
  expect(() => parseJson(Buffer.from('['.repeat(deep) + ']'.repeat(deep)))).toThrow('nested deeper');
  expect(() => parseJson(Buffer.from(`[${'1,'.repeat(1_000_000)}1]`))).not.toThrow();
});

test.each([
  ['{"__proto__":1}', 'forbidden name'],
  ['{"a":{"constructor":1}}', 'forbidden name'],
  ['[{"prototype":1}]', 'forbidden name'],
  ['{"\\u005f_proto__":1}', 'forbidden name'],
  ['{"a":"\\u0000"}', 'NUL'],
  ['{"\\u0000":1}', 'NUL'],
  ['"\\ud800"', 'surrogate'],
  ['{"a":["\\udc00x"]}', 'surrogate'],
  ['1e999', 'out of range'],
  ['{"a":-1e999}', 'out of range'],
  ['{"a":1,}', 'not valid JSON'],
  ['NaN', 'not valid JSON'],
  ['{}{}', 'not valid JSON'],
])('%s is refused: %s', (text, reason) => {
  expect(() => parseJson(Buffer.from(text))).toThrow(reason);
});

test('bytes that are no UTF-8 are refused', () => {
  expect(() => parseJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow('not valid UTF-8');
});

test('what can be stored passes as it is', () => {
  const value = { text: 'ü 😀 \u2028', list: [1, -2.5e-7, true, null, { a: {} }], empty: '' };
  expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
});
