import { randomBytes } from 'node:crypto';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unavailable } from '@tideline/shared/errors';
import { Api } from '@tideline/shared/http/api';
import { authenticate } from '@tideline/shared/http/authenticate';
import { errorResponse } from '@tideline/shared/http/error-response';
import { openApiDocuments } from '@tideline/shared/http/openapi';
import type { Quotas } from '@tideline/shared/http/quotas';
import { createLogger } from '@tideline/shared/logger';
import { createRegistry } from '@tideline/shared/metrics';
import { describedRoutes } from '@tideline/testing/documents';
import { waitUntil } from '@tideline/testing/wait-until';
import express from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import type { LiveClient, LiveFeed, LiveHub } from '../live/live-client.js';
import { feedApiMetrics } from '../metrics.js';
import { OpenStreams } from './open-streams.js';
import { addStreamRoutes, ticketCheck } from './stream-routes.js';
import { StreamTickets } from './stream-tickets.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).reverse()) {
    close();
  }
  vi.useRealTimers();
});

interface Opened {
  reader: string;
  feed: LiveFeed;
  lastEventId: string | undefined;
  client: LiveClient;
  isClosed: boolean;
}

/** Remembers who opened what; what streams get is what a test sends. */
class FakeHub implements LiveHub {
  readonly opened: Opened[] = [];
  beforeOpen: () => Promise<void> = async () => undefined;

  async open(reader: string, feed: LiveFeed, lastEventId: string | undefined, client: LiveClient) {
    const opened: Opened = { reader, feed, lastEventId, client, isClosed: false };
    this.opened.push(opened);
    await this.beforeOpen();
    const close = () => {
      opened.isClosed = true;
    };
    return { position: 'p0', close };
  }

  async client(index = 0): Promise<LiveClient> {
    return (await waitUntil('a stream is open', () => this.opened[index])).client;
  }
}

/** Whoever says a user's name is that user. */
async function serve(streamsMax = 100) {
  const hub = new FakeHub();
  const registry = createRegistry('test');
  const streams = new OpenStreams(streamsMax, feedApiMetrics(registry));
  const api = new Api();
  const tickets = new StreamTickets(randomBytes(32));
  addStreamRoutes(api, { hub, streams, tickets });
  const app = express();
  app.set('query parser', false);
  app.use(
    authenticate({
      keys: async (key) => ({ kind: 'user', name: key, userId: key }),
      tokens: undefined,
      tickets: ticketCheck(tickets),
      quotas: {
        countCaller: async () => undefined,
        countStranger: async () => undefined,
        isExhausted: () => false,
      } as unknown as Quotas,
    }),
  );
  app.use(api.router);
  app.use(errorResponse(createLogger('test', 'silent')));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const { port } = server.address() as AddressInfo;
  const metric = async (name: string, labels: string) =>
    new RegExp(`^${name}\\{${labels},service="test"\\} (\\d+)$`, 'm').exec(await registry.metrics())?.[1];
  return { hub, streams, tickets, port, metric };
}

interface Reading {
  status: number | undefined;
  headers: IncomingMessage['headers'];
  response: IncomingMessage;
  text: () => string;
}

function open(port: number, path: string, headers: Record<string, string> = {}): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const request = get(
      { port, path, agent: false, headers: { 'x-app-key': 'anna', ...headers } as Record<string, string> },
      (response: IncomingMessage) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', () => undefined);
        resolve({ status: response.statusCode, headers: response.headers, response, text: () => text });
      },
    );
    request.on('error', reject);
    closing.push(() => request.destroy());
  });
}

test('a stream begins at once with its position, then has events with theirs', async () => {
  const { hub, port, metric } = await serve();
  const { status, headers, text } = await open(port, '/v1/feeds/home/stream');
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const head = /^retry: (\d+)\nid: p0\n\n/;
  await waitUntil('it began', () => head.test(text()));
  expect(Number(head.exec(text())?.[1])).toBeGreaterThanOrEqual(500);
  expect(Number(head.exec(text())?.[1])).toBeLessThanOrEqual(3_000);

  const client = await hub.client();
  client.send({ id: 'p1', event: 'activity', data: '{"id":"a"}' });
  client.send({ id: 'p2', event: 'delete', data: '{"id":"a"}' });
  client.send({ id: 'p3', event: 'resync', data: '{}' });
  await waitUntil('they came', () => text().includes('p3'));
  expect(text().replace(head, '')).toBe(
    'event: activity\nid: p1\ndata: {"id":"a"}\n\nevent: delete\nid: p2\ndata: {"id":"a"}\n\nevent: resync\nid: p3\ndata: {}\n\n',
  );
  expect(await metric('tideline_stream_events_total', 'feed="home",event="resync"')).toBe('1');
  expect(hub.opened[0]).toMatchObject({ reader: 'anna', feed: 'home', lastEventId: undefined });
});

test('every 15 s a comment says where the stream stands, and after an hour it ends', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'setTimeout'] });
  const { hub, port } = await serve();
  const { text, response } = await open(port, '/v1/feeds/home/stream');
  await waitUntil('it began', () => text() !== '');
  (await hub.client()).moved('p1');
  vi.advanceTimersByTime(15_000);
  await waitUntil('it came', () => text().endsWith('\n\nid: p1\n:\n\n'));
  (await hub.client()).send({ id: 'p2', event: 'resync', data: '{}' });
  vi.advanceTimersByTime(15_000);
  await waitUntil('the next came', () => text().endsWith('\n\nid: p2\n:\n\n'));
  vi.advanceTimersByTime(3_600_000);
  await waitUntil('it ended', () => response.complete);
});

test('whoever comes back says where it was, the header before the query', async () => {
  const { hub, port } = await serve();
  await open(port, '/feed/stream', { 'last-event-id': '7.1-0.3.1-0.-1' });
  await open(port, '/feed/stream?lastEventId=7.9-0.3.1-0.-1');
  await open(port, '/feed/stream?lastEventId=7.9-0.3.1-0.-1', { 'last-event-id': '7.1-0.3.1-0.-1' });
  await open(port, '/feed/stream', { 'last-event-id': '' });
  expect(hub.opened.map(({ lastEventId }) => lastEventId)).toEqual([
    '7.1-0.3.1-0.-1',
    '7.9-0.3.1-0.-1',
    '7.1-0.3.1-0.-1',
    undefined,
  ]);
});

test.each([
  ['/v1/feeds/home/stream?lastEventId=a%0Ab', {}],
  [`/v1/feeds/home/stream?lastEventId=${'1'.repeat(129)}`, {}],
  ['/v1/feeds/home/stream', { 'last-event-id': 'a b' }],
  ['/v1/feeds/home/stream', { 'last-event-id': '1'.repeat(129) }],
  ['/v1/feeds/home/stream?limit=3', {}],
])('what cannot be a position is refused: %s %o', async (path, headers) => {
  const { hub, port, metric } = await serve();
  const { status } = await open(port, path, headers);
  expect(status).toBe(400);
  expect(hub.opened).toEqual([]);
  expect(await metric('tideline_streams_open', 'feed="home"')).toBe('0');
});

test('a user has at most five streams, and another one where one has closed', async () => {
  const { hub, port, metric } = await serve();
  const first = await open(port, '/v1/feeds/home/stream');
  for (let count = 2; count <= 5; count += 1) {
    expect((await open(port, '/feed/stream')).status).toBe(200);
  }
  const sixth = await open(port, '/v1/feeds/home/stream');
  expect([sixth.status, sixth.headers['retry-after']]).toEqual([429, '1']);
  await waitUntil('it says why', () => sixth.text().includes('too_many_streams'));
  expect((await open(port, '/v1/feeds/home/stream', { 'x-app-key': 'boris' })).status).toBe(200);
  expect(await metric('tideline_streams_open', 'feed="home"')).toBe('6');

  first.response.destroy();
  await waitUntil('the hub knows', () => hub.opened[0]?.isClosed);
  expect((await open(port, '/v1/feeds/home/stream')).status).toBe(200);
});

test('a process has only so many streams', async () => {
  const { port } = await serve(2);
  await open(port, '/v1/feeds/home/stream', { 'x-app-key': 'a' });
  await open(port, '/v1/feeds/home/stream', { 'x-app-key': 'b' });
  const third = await open(port, '/v1/feeds/home/stream', { 'x-app-key': 'c' });
  expect([third.status, third.headers['retry-after']]).toEqual([503, '1']);
});

test('without Redis there is no stream, and nothing of the attempt is left', async () => {
  const { hub, port, metric } = await serve();
  hub.beforeOpen = async () => {
    throw unavailable('Redis is not available');
  };
  const { status, text } = await open(port, '/v1/feeds/home/stream');
  expect(status).toBe(503);
  await waitUntil('it says why', () => text().includes('"unavailable"'));
  await waitUntil('it is closed', async () => (await metric('tideline_streams_open', 'feed="home"')) === '0');
});

test('a reader who goes while its stream is opened leaves nothing behind', async () => {
  const { hub, port, metric } = await serve();
  let openNow: () => void = () => undefined;
  hub.beforeOpen = () => new Promise((resolve) => (openNow = resolve));
  const request = get({ port, path: '/feed/stream', agent: false, headers: { 'x-app-key': 'anna' } });
  request.on('error', () => undefined);
  await hub.client();
  request.destroy();
  await waitUntil('it is gone', async () => (await metric('tideline_streams_open', 'feed="home"')) === '0');
  expect(hub.opened[0]?.isClosed).toBe(false);
  openNow();
  await waitUntil('the hub knows', () => hub.opened[0]?.isClosed);
});

test('a reader who does not keep up is cut off', async () => {
  const { hub, port, metric } = await serve();
  const slow = await open(port, '/v1/feeds/home/stream');
  slow.response.pause();
  const client = await hub.client();
  const data = JSON.stringify('x'.repeat(64 * 1024));
  let sent = 0;
  await waitUntil('it is cut off', () => {
    sent += 1;
    client.send({ id: `p${sent}`, event: 'activity', data });
    return hub.opened[0]?.isClosed;
  });
  expect(await metric('tideline_streams_dropped_total', 'feed="home"')).toBe('1');
  // Sending to who is gone does nothing.
  client.send({ id: 'p', event: 'activity', data });
});

test('when the process stops, streams end complete, with a hint when to come back, and none opens', async () => {
  const { hub, streams, port } = await serve();
  const reading = await open(port, '/v1/feeds/home/stream');
  await hub.client();
  await waitUntil('it began', () => reading.text() !== '');
  let openNow: () => void = () => undefined;
  hub.beforeOpen = () => new Promise((resolve) => (openNow = resolve));
  const opening = open(port, '/v1/feeds/home/stream');
  await hub.client(1);

  streams.close();
  openNow();

  await waitUntil('it ended', () => reading.response.complete);
  expect(reading.text()).toMatch(/^retry: \d+\nid: p0\n\nretry: \d+\n\n$/);
  const late = await opening;
  await waitUntil('that which was opening ends too', () => late.response.complete);
  expect((await open(port, '/v1/feeds/home/stream')).status).toBe(503);
});

test('HEAD gets the head alone', async () => {
  const { hub, port } = await serve();
  const answer = await fetch(`http://127.0.0.1:${port}/v1/feeds/home/stream`, {
    method: 'HEAD',
    headers: { 'x-app-key': 'anna' },
  });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  expect(hub.opened).toEqual([]);
});

test('a ticket opens streams of its user without a key, and nothing else', async () => {
  const { hub, tickets, port } = await serve();
  const made = await fetch(`http://127.0.0.1:${port}/v1/stream-tickets`, {
    method: 'POST',
    headers: { 'x-app-key': 'anna' },
  });
  expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
  const { ticket, expiresAt } = (await made.json()) as { ticket: string; expiresAt: number };
  expect(tickets.userOf(ticket, expiresAt - 1)).toBe('anna');

  const statusOf = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const closed = new AbortController();
    closing.push(() => closed.abort());
    return (await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, signal: closed.signal })).status;
  };
  expect(await statusOf(`/v1/feeds/home/stream?ticket=${ticket}`)).toBe(200);
  expect(await statusOf(`/feed/stream?ticket=${ticket}&lastEventId=1`)).toBe(200);
  expect(await statusOf(`/v1/feeds/notifications/stream?ticket=${ticket}`)).toBe(200);
  expect(hub.opened.map(({ reader, feed }) => `${reader} ${feed}`)).toEqual([
    'anna home',
    'anna home',
    'anna notifications',
  ]);

  expect(await statusOf(`/v1/feeds/home/stream?ticket=${tickets.mint('anna', 0).ticket}`)).toBe(401);
  expect(await statusOf('/v1/feeds/home/stream?ticket=')).toBe(401);
  expect(await statusOf(`/v1/feeds/home/stream?ticket=${ticket}`, { 'x-app-key': 'anna' })).toBe(400);
  expect(await statusOf(`/v1/feeds/home/stream?ticket=${ticket}&ticket=${ticket}`)).toBe(400);
  expect(await statusOf(`/v1/feeds/home/stream?ticket=${ticket}`, { 'x-act-as': 'boris' })).toBe(403);
  expect(await statusOf(`/v1/feeds/home/stream?ticket=${ticket}`, {}, 'HEAD')).toBe(401);
  expect(await statusOf(`/v1/stream-tickets?ticket=${ticket}`, {}, 'POST')).toBe(401);
  expect(hub.opened).toHaveLength(3);
});

test('the document describes streams by their events, and that tickets open them', async () => {
  const api = new Api();
  addStreamRoutes(api, {} as Parameters<typeof addStreamRoutes>[1]);
  const { routes, faults } = await describedRoutes(api);
  expect(faults).toEqual([]);
  expect(routes).toEqual([
    'get /feed/stream',
    'get /v1/feeds/home/stream',
    'get /v1/feeds/notifications/stream',
    'post /v1/stream-tickets',
  ]);
  const { paths } = openApiDocuments(api.operations, { title: '', description: '' })['openapi.json'] as {
    paths: Record<string, { get: { security: object[]; responses: Record<string, { content: object }> } }>;
  };
  const { security, responses } = paths['/feed/stream']?.get ?? {};
  expect(security).toContainEqual({ ticket: [] });
  expect(Object.keys(responses?.['200']?.content ?? {})).toEqual(['text/event-stream']);
});
