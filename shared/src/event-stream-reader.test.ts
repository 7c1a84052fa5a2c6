import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { EventParser, type ReceivedEvent, readEventStream } from './event-stream-reader.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) {
    close();
  }
});

/** A server that answers each request by the next of these. */
async function serve(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]): Promise<string> {
  const server = createServer((request, response) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('events come whole however the text is cut, and positions come without events too', () => {
  const text =
    'retry: 700\nid: p0\n\nevent: activity\nid: p1\ndata: {"a":1}\n\nid: p2\n:\n\n: a comment\r\ndata: one\r\ndata:two\r\n\r\n';
  const expected = [
    { event: 'activity', id: 'p1', data: '{"a":1}' },
    { event: 'message', id: 'p2', data: 'one\ntwo' },
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const parser = new EventParser();
      const ends = [...cuts.toSorted((a, b) => a - b), text.length];
      const events = ends.flatMap((end, i) => parser.push(text.slice(ends[i - 1] ?? 0, end)));
      expect(events).toEqual(expected);
      expect([parser.lastEventId, parser.retryMs]).toEqual(['p2', 700]);
    }),
  );
});

test('of what a lost connection did not finish nothing is left', () => {
  const parser = new EventParser('p0');
  parser.push('event: activity\nid: p1\ndata: 1');
  parser.begin();
  expect(parser.lastEventId).toBe('p0');
  expect(parser.push('data: 2\n\n')).toEqual([{ event: 'message', id: 'p0', data: '2' }]);
});

test('a stream that is lost is opened again after its last position, until it is aborted', async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve(
    (request, response) => {
      asked.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 1\nid: p0\n\nid: p1\ndata: 1\n\nid: p2\n\nid: p3\ndata: 3');
      response.socket?.end();
    },
    (_request, response) => {
      response.writeHead(503).end('{"error":{"code":"overloaded","message":"Not now."}}');
    },
    (request, response) => {
      asked.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('id: p3\ndata: 3\n\n');
    },
  );
  const stop = new AbortController();
  const opened: string[] = [];
  const received: ReceivedEvent[] = [];
  const options = {
    url,
    headers: {},
    signal: stop.signal,
    onOpen: () => opened.push('opened'),
    onLost: (reason: string) => opened.push(reason),
  };
  for await (const event of readEventStream(options)) {
    received.push(event);
    if (event.id === 'p3') {
      stop.abort();
    }
  }
  expect(asked).toEqual([undefined, 'p2']);
  expect(received.map(({ data }) => data)).toEqual(['1', '3']);
  expect(opened).toEqual(['opened', 'aborted', 'the stream was refused (503): Not now.', 'opened']);
});

test('a stream that is refused for good is an error that says why', async () => {
  const url = await serve((_request, response) => {
    response.writeHead(401).end('{"error":{"code":"unauthenticated","message":"A valid key is needed."}}');
  });
  const events = readEventStream({ url, headers: {}, signal: new AbortController().signal });
  await expect(events.next()).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'the stream was refused (401): A valid key is needed.',
  });
});
