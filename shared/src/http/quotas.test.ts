import { expect, test, vi } from 'vitest';
import { networkOf, Quotas } from './quotas.js';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('while Redis is away every process counts for itself', async () => {
  const limits = { perUser: 2, perService: 0, perAddress: 1 };
  const quotas = new Quotas({ redisUrl: 'redis://127.0.0.1:1', namespace: 'test', limits });
  quotas.start();
  const ann = { kind: 'user', name: 'ann', userId: 'ann' } as const;
  const service = { kind: 'service', name: 'ann', scopes: new Set<never>() } as const;
  const overQuota = expect.objectContaining({ code: 'over_quota', retryAfterS: 1 }) as Error;

  await quotas.countCaller(ann);
  await quotas.countCaller(ann);
  await expect(quotas.countCaller(ann)).rejects.toThrow(overQuota);
  for (let n = 0; n < 10; n += 1) {
    await quotas.countCaller(service);
  }
  expect(quotas.isExhausted('192.0.2.1')).toBe(false);
  await quotas.countStranger('192.0.2.1');
  expect([quotas.isExhausted('192.0.2.1'), quotas.isExhausted('192.0.2.2')]).toEqual([true, false]);
  await expect(quotas.countStranger('192.0.2.1')).rejects.toThrow(overQuota);
  await vi.waitUntil(() => !quotas.isExhausted('192.0.2.1'), { timeout: 2_000 });
  await quotas.countCaller(ann);
  quotas.close();
});
