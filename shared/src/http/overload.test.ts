import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import express from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../logger.js';
import { errorResponse } from './error-response.js';
import { overloadGuard } from './overload.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) {
    close();
  }
});

async function serve(delayMaxMs: number): Promise<() => Promise<Response>> {
  const guard = overloadGuard(delayMaxMs);
  const app = express();
  app.use(guard.refuse);
  app.get('/', (_request, response) => {
    response.json({});
  });
  app.use(errorResponse(createLogger('test', 'silent')));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    guard.stop();
    server.close();
  });
  return () => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** Leaves the event loop a turn now and then, and no more. */
async function keepBusy(totalMs: number): Promise<void> {
  const end = performance.now() + totalMs;
  while (performance.now() < end) {
    const turnEnd = performance.now() + 200;
    while (performance.now() < turnEnd) {
      // Nothing else gets its turn.
    }
    await nextTurn();
  }
}

test('while the event loop lags, requests are turned away at once, and taken again when it has caught up', async () => {
  const request = await serve(50);
  expect((await request()).status).toBe(200);

  await keepBusy(1_500);
  const [answer] = await Promise.all([request(), keepBusy(1_000)]);

  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await answer.json()).toMatchObject({ error: { code: 'overloaded' } });
  await vi.waitUntil(async () => (await request()).status === 200, { timeout: 5_000, interval: 100 });
});

test('without a limit nothing is turned away', async () => {
  const request = await serve(0);
  const [answer] = await Promise.all([request(), keepBusy(1_000)]);
  expect(answer.status).toBe(200);
});
