import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { openLines, postLines } from '@tideline/testing/line-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, keys, type RunningIngest } from './ingest-server.js';

let installation: Installation;
let ingest: RunningIngest;

beforeAll(async () => {
  installation = await Installation.create();
  ingest = await installation.start();
});

afterAll(async () => {
  await ingest.stop();
  await installation.close();
});

const note = (objectId: string, more: object = {}) => ({ verb: 'post', objectType: 'note', objectId, ...more });
const text = (lines: readonly unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

const post = (body: string | Uint8Array, headers: Record<string, string> = {}, key: string = keys.anna) =>
  postLines(ingest.url, key, body, headers);

async function idsOnTopic(prefix: string): Promise<Set<string>> {
  const records = await installation.records();
  return new Set(records.filter(({ record }) => record.objectId.startsWith(prefix)).map(({ record }) => record.id));
}

test('lines are answered in their order, and what has an id is on the topic', async () => {
  const lines = Array.from({ length: 3_000 }, (_, i) => note(`many/${i}`, { actorId: `actor-${i % 11}` }));
  const { status, contentType, answers } = await post(text(lines), {}, keys.producer);
  expect({ status, contentType }).toEqual({ status: 200, contentType: 'application/x-ndjson' });
  expect(answers.map(({ line }) => line)).toEqual(lines.map((_, i) => i + 1));
  const ids = new Set(answers.map(({ id }) => id ?? ''));
  expect(ids.size).toBe(lines.length);
  expect(await idsOnTopic('many/')).toEqual(ids);
});

test('a wrong line has its own error and stops no other; blank lines only count', async () => {
  const deep = `${'{"a":'.repeat(9)}1${'}'.repeat(9)}`;
  const wrong: [string | Uint8Array, string][] = [
    ['{"verb":', 'invalid_request'],
    [JSON.stringify(note('x', { unknown: 1 })), 'invalid_request'],
    [JSON.stringify(note('x')).replace('"x"', '"\\u0000"'), 'invalid_request'],
    [`{"verb":"post","objectType":"note","objectId":"x","metadata":{"__proto__":1}}`, 'invalid_request'],
    [`{"verb":"post","objectType":"note","objectId":"x","metadata":${deep}}`, 'invalid_request'],
    [Buffer.concat([Buffer.from('{"verb":"'), Buffer.of(0xff), Buffer.from('"}')]), 'invalid_request'],
    [JSON.stringify([note('x')]), 'invalid_request'],
    [JSON.stringify(note('x', { actorId: 'user:ben' })), 'forbidden'],
    [JSON.stringify(note('x', { metadata: { text: 'x'.repeat(64 * 1024) } })), 'payload_too_large'],
    // Small as it is sent, too large as it is stored, because numbers are written out.
    [
      `{"verb":"post","objectType":"note","objectId":"x","metadata":{"n":[${Array(9_000).fill('1e20').join()}]}}`,
      'payload_too_large',
    ],
  ];
  const body = Buffer.concat(
    wrong.flatMap(([line], i) => [
      Buffer.from(`${JSON.stringify(note(`good/${i}`))}\n\n`),
      Buffer.from(line),
      Buffer.from('\r\n'),
    ]),
  );
  const { answers } = await post(body);
  const expected = wrong.flatMap(([, code], i) => [
    { line: 3 * i + 1, id: expect.any(String) as string, timestamp: expect.any(Number) as number },
    { line: 3 * i + 3, error: expect.objectContaining({ code }) as object },
  ]);
  expect(answers).toEqual(expected);
  expect((await idsOnTopic('good/')).size).toBe(wrong.length);
});

test('a body may be compressed, and end without a newline', async () => {
  const body = text([note('packed/ü'), note('packed/€')]).trimEnd();
  const packed = { gzip: gzipSync(body), deflate: deflateSync(body), br: brotliCompressSync(body) };
  for (const [encoding, bytes] of Object.entries(packed)) {
    const { answers } = await post(bytes, { 'content-encoding': encoding });
    expect(answers, encoding).toMatchObject([
      { line: 1, id: expect.any(String) as string },
      { line: 2, id: expect.any(String) as string },
    ]);
  }
  const { answers } = await post(packed.gzip.subarray(0, -12), { 'content-encoding': 'gzip' });
  expect(answers.at(-1)).toMatchObject({ error: { code: 'invalid_request' } });
});

test('what makes the whole stream wrong is answered as everywhere', async () => {
  const line = text([note('refused')]);
  const cases: [Record<string, string>, number][] = [
    [{ 'content-type': 'application/x-ndjson; charset=latin1' }, 415],
    [{ 'content-encoding': 'compress' }, 415],
    [{ 'idempotency-key': 'k' }, 400],
    [{ 'x-act-as': 'user:ben' }, 403],
    [{ 'x-act-as': 'no user' }, 400],
  ];
  for (const [headers, status] of cases) {
    const answer = await ingest.call('/v1/activities', {
      key: keys.anna,
      body: line,
      headers: { 'content-type': 'application/x-ndjson', ...headers },
    });
    expect(answer.status, JSON.stringify(headers)).toBe(status);
  }
  expect((await idsOnTopic('refused')).size).toBe(0);
});

test('a lone line is answered before the next one is sent', async () => {
  const stream = openLines(ingest.url, keys.anna, { 'content-type': 'application/x-ndjson; charset=UTF-8' });
  const answers = stream.answers();
  for (let i = 1; i <= 5; i += 1) {
    stream.request.write(text([note(`lone/${i}`)]));
    expect((await answers.next()).value).toMatchObject({ line: i, id: expect.any(String) as string });
  }
  stream.request.end();
  expect(await answers.next()).toEqual({ done: true, value: undefined });
});

async function drainsSoon(request: ClientRequest): Promise<boolean> {
  const signal = AbortSignal.timeout(2_000);
  return once(request, 'drain', { signal }).then(
    () => true,
    () => false,
  );
}

test('who does not read answers is not read from, and holds up nobody else', async () => {
  const stream = openLines(ingest.url, keys.anna);
  stream.request.write('{}\n');
  const response = await stream.response;
  const chunk = Buffer.from('{}\n'.repeat(20_000));
  const chunksMax = 2_000;
  let chunks = 0;
  let isStalled = false;
  while (!isStalled && chunks < chunksMax) {
    chunks += 1;
    isStalled = !stream.request.write(chunk) && !(await drainsSoon(stream.request));
  }
  expect(isStalled).toBe(true);
  response.resume();
  await once(stream.request, 'drain');
  stream.request.destroy();
  expect((await post(text([note('after')]))).answers).toMatchObject([{ line: 1 }]);
});
