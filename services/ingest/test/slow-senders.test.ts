import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorResponse } from '@tideline/shared/http/error-response';
import { limitBodyTime, requireSteadyBody } from '@tideline/shared/http/slow-senders';
import { createLogger } from '@tideline/shared/logger';
import { RawConnection } from '@tideline/testing/raw-connection';
import express, { type Request } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, keys, type RunningIngest } from './ingest-server.js';

/** Who sends slowly is cut off within 20 s. All cases wait at the same time, because the limits are the real ones. */

const closedWithinMs = 20_000;
const dripMs = 1_000;

let installation: Installation;
let ingest: RunningIngest;
let streams: Server;

beforeAll(async () => {
  installation = await Installation.create();
  ingest = await installation.start();
  streams = await startStreams();
});
afterAll(async () => {
  streams.close();
  await ingest.stop();
  await installation.close();
});

/** A route that reads its body as a stream, line by line, as long as it goes on. */
async function startStreams(): Promise<Server> {
  const app = express();
  app.use(limitBodyTime);
  app.post('/', requireSteadyBody, async (request, response) => {
    response.json({ received: await lengthOf(request) });
  });
  app.use(errorResponse(createLogger('test', 'silent')));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function lengthOf(request: Request): Promise<number> {
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
  }
  return length;
}

function head(method: string, path: string, headers: Record<string, string>): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const json = { 'content-type': 'application/json', 'content-length': '1000' };
const known = { 'x-app-key': keys.anna };

test('slow headers and slow bodies: 408, and closed within 20 s', async () => {
  const port = Number(new URL(ingest.url).port);
  const streamsPort = (streams.address() as AddressInfo).port;
  const late = {
    'no byte at all': new RawConnection(port),
    'headers byte by byte': new RawConnection(port).send('GET / HTTP/1.1\r\nx-long: ').drip('x', dripMs),
    'a body byte by byte': new RawConnection(port)
      .send(head('POST', '/v1/activities', { ...known, ...json }))
      .drip(' ', dripMs),
    'a compressed body that stops': new RawConnection(port)
      .send(head('POST', '/v1/activities', { ...known, ...json, 'content-encoding': 'gzip' }))
      .send('\x1f'),
    'a chunked body that stops': new RawConnection(port)
      .send(
        head('POST', '/v1/activities', {
          ...known,
          'content-type': json['content-type'],
          'transfer-encoding': 'chunked',
        }),
      )
      .send('1\r\n[\r\n'),
    'a stream that falls silent': new RawConnection(streamsPort).send(head('POST', '/', json)).send('x'),
  };
  const refused = new RawConnection(port).send(head('POST', '/v1/activities', json)).drip(' ', dripMs);
  const unread = new RawConnection(port).send(head('GET', '/v1/nothing', { ...known, ...json })).drip(' ', dripMs);
  const steady = new RawConnection(streamsPort)
    .send(head('POST', '/', { ...json, 'content-length': '19' }))
    .drip('x', dripMs);

  for (const [what, connection] of Object.entries(late)) {
    const { status, body, afterMs } = await connection.closed();
    expect([what, status, body]).toEqual([what, 408, expect.stringContaining('{"error":{"code":"timeout"')]);
    expect([what, afterMs]).toEqual([what, expect.toSatisfy((ms: number) => ms < closedWithinMs)]);
  }
  // Answered at once, and then not listened to for ever.
  for (const [connection, status] of [
    [refused, 401],
    [unread, 404],
  ] as const) {
    expect(await connection.closed()).toMatchObject({
      status,
      afterMs: expect.toSatisfy((ms: number) => ms < closedWithinMs) as number,
    });
  }
  // Slower in all than any of them, and never silent for long.
  await expect.poll(() => steady.received, { timeout: 10_000 }).toContain('{"received":19}');
  steady.close();
});

test('what is not HTTP is answered in JSON', async () => {
  const port = Number(new URL(ingest.url).port);
  const malformed = await new RawConnection(port).send('HELLO\r\n\r\n').closed();
  expect([malformed.status, malformed.body]).toEqual([400, expect.stringContaining('"code":"invalid_request"')]);
  const nowhere = new RawConnection(port).send('GET / HTTP/1.1\r\nconnection: close\r\n\r\n');
  expect(await nowhere.closed()).toMatchObject({ status: 400, body: expect.stringContaining('Host') as string });
});
