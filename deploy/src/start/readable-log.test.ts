import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { readableLog } from './readable-log.js';

async function shown(text: string) {
  const lines: string[] = [];
  const log = readableLog('ingest', 'cyan', { colours: false, write: (line) => lines.push(line) });
  const stream = Readable.from([text]);
  log.show(stream);
  await vi.waitUntil(() => stream.readableEnded);
  // The last line comes when the stream has ended.
  await vi.waitUntil(() => lines.length > 0);
  return { lines, lastLines: log.lastLines() };
}

test('records are text with the name of the service before every line', async () => {
  const record = {
    level: 40,
    time: Date.UTC(2026, 0, 1),
    service: 'ingest',
    err: { type: 'Error', stack: 'a\nb' },
    msg: 'no',
  };

  const { lines } = await shown(`${JSON.stringify(record)}\n`);

  expect(lines[0]).toMatch(/^ingest {3}\| \[\d\d:\d\d:\d\d\.000\] WARN: no/);
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.every((line) => line.startsWith('ingest   | '))).toBe(true);
});

test('what is no record is shown as it is', async () => {
  expect((await shown('Error: broken\n')).lines).toEqual(['ingest   | Error: broken']);
});

test('the last lines are kept, and no more', async () => {
  const text = Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join('');

  const { lastLines } = await shown(text);

  expect([lastLines.length, lastLines[0], lastLines.at(-1)]).toEqual([15, 'ingest   | line 85', 'ingest   | line 99']);
});

test('of requests only those that failed are shown, in one short line', async () => {
  const request = { level: 30, time: Date.UTC(2026, 0, 1), service: 'ingest', requestId: 'r1', method: 'POST' };
  const records = [
    { ...request, principal: { kind: 'user', name: '1' }, route: '/v1/activities', status: 202, ms: 3.1 },
    { ...request, principal: { kind: 'user', name: '1' }, route: '/v1/follows', status: 403, code: 'forbidden', ms: 2 },
    { ...request, route: 'unknown', status: 401, code: 'unauthenticated', ms: 1 },
  ];

  const { lines } = await shown(records.map((record) => `${JSON.stringify({ ...record, msg: 'request' })}\n`).join(''));

  expect(lines.map((line) => line.replace(/^.*INFO: /, ''))).toEqual([
    'POST /v1/follows by user 1: 403 forbidden after 2 ms, request r1',
    'POST unknown by a stranger: 401 unauthenticated after 1 ms, request r1',
  ]);
});
