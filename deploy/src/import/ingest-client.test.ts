import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test, vi } from 'vitest';
import { ingestClient } from './ingest-client.js';

let server: Server | undefined;

afterEach(() => server?.close());

/** Answers one request after the other as given; the last answer repeats. */
async function serve(...answers: { status: number; body?: unknown; headers?: Record<string, string> }[]) {
  const requests: { url: string; key: string; body: string }[] = [];
  const answerNext = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request);
    requests.push({ url: request.url ?? '', key: String(request.headers['x-app-key']), body });
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    response.writeHead(answer?.status ?? 500, answer?.headers).end(JSON.stringify(answer?.body ?? {}));
  };
  server = createServer((request, response) => void answerNext(request, response)).listen(0, '127.0.0.1');
  await vi.waitUntil(() => server?.listening);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function clientOf(url: string, controller = new AbortController()) {
  const reasons: string[] = [];
  const onRetry = (reason: string) => reasons.push(reason);
  return { client: ingestClient({ url, key: 'k', signal: controller.signal, onRetry }), reasons, controller };
}

test('what ingest cannot take now is sent again, and the reason told once', async () => {
  const busy = {
    status: 503,
    body: { error: { code: 'overloaded', message: 'busy' } },
    headers: { 'retry-after': '0' },
  };
  const { url, requests } = await serve(busy, busy, { status: 202, body: { items: [] } });
  const { client, reasons } = clientOf(url);

  expect(await client.send('POST', '/v1/activities', '[1]')).toEqual({ items: [] });
  expect(requests).toEqual(Array.from({ length: 3 }, () => ({ url: '/v1/activities', key: 'k', body: '[1]' })));
  expect(reasons).toEqual(['busy']);
});

test('Retry-After is waited for', async () => {
  const { url } = await serve({ status: 503, headers: { 'retry-after': '1' } }, { status: 202 });
  const startedAt = performance.now();

  await clientOf(url).client.send('POST', '/', '');

  expect(performance.now() - startedAt).toBeGreaterThan(950);
});

test('what ingest refuses is not sent again', async () => {
  const details = [{ path: '0.verb', message: 'is reserved' }];
  const { url, requests } = await serve({
    status: 400,
    body: { error: { code: 'invalid_request', message: 'no', details } },
  });

  await expect(clientOf(url).client.send('POST', '/v1/activities', '[]')).rejects.toMatchObject({
    code: 'invalid_request',
    message: '/v1/activities was refused (400): no',
    details,
  });
  expect(requests).toHaveLength(1);
});

test('waiting for a server that is away can be stopped', async () => {
  const { url } = await serve();
  server?.close();
  const { client, reasons, controller } = clientOf(url);
  const sent = client.send('POST', '/', '');

  await vi.waitUntil(() => reasons.length > 0);
  controller.abort();

  await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
  expect(reasons).toEqual([expect.stringContaining('ECONNREFUSED')]);
});
