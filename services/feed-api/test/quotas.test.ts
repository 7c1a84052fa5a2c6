import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

const perSecond = 5;
const home = '/v1/feeds/home';

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({
    fanout: false,
    door: { quotas: { perUser: perSecond, perService: 0, perAddress: perSecond }, trustedProxies: 1 },
  });
});
afterAll(() => platform.stop());

function call(path: string, headers: Record<string, string> = {}, port = platform.ports.feedApi): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers });
}

/** Many at once: at most two seconds' worth of them can pass, because a second may end in between. */
async function statusesOf(count: number, request: () => Promise<Response>): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: count }, request));
  for (const answer of answers) {
    await answer.text();
  }
  return answers.map(({ status }) => status);
}

test('a user over quota gets 429 on both services, with when to come back, and is served again after that', async () => {
  const ivan = { 'x-app-key': 'abc123' };
  const statuses = await statusesOf(30, () => call(home, ivan));
  const served = statuses.filter((status) => status === 200).length;
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(served).toBeGreaterThanOrEqual(perSecond);
  expect(served).toBeLessThanOrEqual(2 * perSecond);

  await waitUntil('ingest counts what feed-api served', async () => {
    await statusesOf(2 * perSecond, () => call(home, ivan));
    return (await call('/v1/nothing', ivan, platform.ports.ingest)).status === 429;
  });
  await statusesOf(2 * perSecond, () => call(home, ivan));
  const refused = await call(home, ivan);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.json()).toMatchObject({ error: { code: 'over_quota' } });
  await waitUntil('ivan is served again', async () => (await call(home, ivan)).status === 200);
});

test('another user is not affected, and a service has no quota', async () => {
  await statusesOf(30, () => call(home, { 'x-app-key': 'abc123' }));
  expect((await call(home, { 'x-app-key': 'abc124' })).status).toBe(200);
  const service = { 'x-app-key': 'demo-producer', 'x-act-as': '1' };
  expect(new Set(await statusesOf(100, () => call(home, service)))).toEqual(new Set([200]));
});

test('strangers of one address are turned away before a key is looked up; known callers there are not', async () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const known = { 'x-app-key': 'demo-producer', 'x-act-as': '1', ...from('192.0.2.1') };
  expect((await call(home, known)).status).toBe(200);

  const guesses = await statusesOf(30, () =>
    call(home, { 'x-app-key': `guess-${Math.random()}`, ...from('192.0.2.1') }),
  );
  expect(new Set(guesses)).toEqual(new Set([401, 429]));
  expect(guesses.filter((status) => status === 401).length).toBeLessThanOrEqual(2 * perSecond);

  await waitUntil('the address is over its quota for pages and for keys that are right but not known yet', async () => {
    await statusesOf(2 * perSecond, () => call(home, from('192.0.2.1')));
    const page = await call('/openapi.json', from('192.0.2.1'));
    const right = await call(home, { 'x-app-key': 'abc125', ...from('192.0.2.1') });
    const familiar = await call(home, known);
    return page.status === 429 && right.status === 429 && familiar.status === 200;
  });
  expect((await call('/openapi.json', from('192.0.2.2'))).status).toBe(200);
});

test('public pages count too', async () => {
  const from = { 'x-forwarded-for': '192.0.2.3' };
  await waitUntil('the address is over its quota', async () => {
    await statusesOf(2 * perSecond, () => call('/openapi.json', from));
    return (await call('/openapi.json', from)).status === 429;
  });
});
