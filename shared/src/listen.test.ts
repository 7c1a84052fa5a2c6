import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './listen.js';

test('closing waits for requests that run, and for no connection on which none came', async () => {
  let answer: ServerResponse | undefined;
  const server = createServer((_request, response) => {
    answer = response;
  });
  const listening = await listen(server, '127.0.0.1', 0);
  const unused = connect(listening.port, '127.0.0.1');
  const used = connect(listening.port, '127.0.0.1');
  used.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await Promise.all([once(unused, 'connect'), once(server, 'request')]);
  unused.on('error', () => undefined);
  const unusedClosed = once(unused, 'close');

  let isClosed = false;
  const closed = listening.close().then(() => {
    isClosed = true;
  });
  await unusedClosed;
  expect(isClosed).toBe(false);
  answer?.end();
  used.resume();
  await closed;
});
