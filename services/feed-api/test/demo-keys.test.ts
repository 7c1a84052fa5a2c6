import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FeedApiService, startFeedApi } from '../src/service.js';

let platform: Platform;
let withoutDemo: FeedApiService;

beforeAll(async () => {
  platform = await startPlatform({ fanout: false });
  // The database has the keys, as an earlier set-up in demo mode left them.
  withoutDemo = await startFeedApi({ ...platform.settings, demo: false, httpPort: 0, operationsPort: 0 });
});
afterAll(async () => {
  await withoutDemo.stop();
  await platform.stop();
});

test.each(['abc123', 'abc124', 'abc125', 'demo-producer'])('%s opens nothing without demo mode', async (key) => {
  const call = (port: number) =>
    fetch(`http://127.0.0.1:${port}/v1/feeds/home`, {
      headers: { 'x-app-key': key, ...(key === 'demo-producer' ? { 'x-act-as': '1' } : {}) },
    });
  expect((await call(platform.ports.feedApi)).status).toBe(200);
  expect((await call(withoutDemo.httpPort)).status).toBe(401);
});
