import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ partitions: 1 });
});
afterAll(() => platform.stop());

/** `npm run tideline -- inbox …` without npm. */
async function inbox(...args: string[]): Promise<string> {
  const { databaseUrl, redisUrl, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_NAMESPACE: namespace,
  };
  return (await run(process.execPath, [door, 'tideline', 'inbox', ...args], { env })).stdout;
}

test('an inbox is shown as it is stored, and looking at it changes nothing', async () => {
  expect(await inbox('1')).toMatch(/^inbox of 1: missing, /);
  expect(JSON.parse(await inbox('1', '--json'))).toMatchObject({ state: 'missing', ids: [], sizeBytes: 0 });

  const body = ['a', 'b'].map((objectId) => ({ verb: 'post', objectType: 'note', objectId }));
  const { items } = await platform.ingest.succeed<{ items: { id: string; timestamp: number }[] }>(
    'POST',
    '/v1/activities',
    { key: 'abc123', body },
  );
  await platform.settle();
  await platform.feedApi.walk('/v1/feeds/home', '1', 10);
  await platform.settle();

  const seen = JSON.parse(await inbox('1', '--json')) as { key: string; ids: string[]; ttlS: number };
  const ids = items
    .map(({ id }) => id)
    .toSorted()
    .reverse();
  expect(seen).toMatchObject({ state: 'ready', ids, floor: '00000000-0000-0000-0000-000000000000' });
  expect(seen.ttlS).toBeGreaterThan(13 * 86_400);
  await platform.redis.expire(seen.key, 100);

  const text = await inbox('1');
  expect(text).toMatch(/^inbox of 1: ready\nkey {7}\S+\nlength {4}2 ids, \d+ bytes\nfloor {5}none: /);
  const [newest] = ids;
  const time = new Date(items.find(({ id }) => id === newest)?.timestamp ?? 0).toISOString().slice(0, 10);
  expect(text).toMatch(new RegExp(`\n\n${time} \\S+ {2}${newest}\n`));
  expect(await platform.redis.ttl(seen.key)).toBeLessThanOrEqual(100);

  expect(await inbox('1', '--list', 'outbox')).toMatch(/^outbox of 1: missing/);
});
