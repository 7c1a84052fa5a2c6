import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Items are shown with what their objects are called now. */

const home = '/v1/feeds/home';
const titleAgeMaxMs = 5_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

async function register(type: string, id: string, title: string): Promise<void> {
  await platform.ingest.succeed('PUT', `/v1/objects/${type}/${id}`, { body: { title } });
}

async function post(actorId: string, body: object): Promise<string> {
  const options = { body: { actorId, verb: 'like', objectType: 'photo', ...body } };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', options);
  await platform.settle();
  return id;
}

async function titlesFor(actAs: string): Promise<unknown[]> {
  const { items } = await platform.feedApi.succeed<{ items: { objectTitle?: string; targetTitle?: string }[] }>(
    'GET',
    home,
    { actAs },
  );
  return items.map(({ objectTitle, targetTitle }) => [objectTitle, targetTitle]);
}

test('a registered title is shown instead of the one that an activity brought, of objects and of targets', async () => {
  await register('photo', 'sunset', 'Sunset');
  await register('album', 'best', 'Best of');
  const id = await post('t1', {
    ...{ objectId: 'sunset', objectTitle: 'old', targetType: 'album', targetId: 'best', targetTitle: 'old album' },
  });
  await post('t1', { objectId: 'never-registered', objectTitle: 'its own', targetType: 'photo', targetId: 'sunset' });
  await post('t1', { objectId: 'never-registered', objectTitle: 'its own', targetType: 'album', targetId: 'no' });
  await post('t1', { objectType: 'album', objectId: 'sunset' });
  expect(await titlesFor('t1')).toEqual([
    [undefined, undefined],
    ['its own', undefined],
    ['its own', 'Sunset'],
    ['Sunset', 'Best of'],
  ]);
  expect(await platform.feedApi.succeed('GET', `/v1/activities/${id}`)).toMatchObject({
    objectTitle: 'Sunset',
    targetTitle: 'Best of',
  });
});

test('a new title is shown within 5 s, also where there was none before', async () => {
  await post('t2', { objectId: 'changing', objectTitle: 'its own' });
  expect(await titlesFor('t2')).toEqual([['its own', undefined]]);
  for (const title of ['First', 'Second']) {
    await register('photo', 'changing', title);
    const changedAt = performance.now();
    await waitUntil(title, async () => JSON.stringify(await titlesFor('t2')).includes(title), titleAgeMaxMs + 1_000);
    expect(performance.now() - changedAt).toBeLessThan(titleAgeMaxMs + 500);
  }
});

test('titles take no SQL on a hot page, not even those that do not exist', async () => {
  await register('photo', 'known', 'Known');
  for (const objectId of ['known', 'unknown-1', 'unknown-2']) {
    await post('t3', { objectId });
  }
  const statements = async () =>
    (await readMetrics(platform.ports.feedApiOperations)).sum('tideline_read_sql_statements_sum', { feed: 'home' });
  const statementsOfOnePage = async () => {
    const before = await statements();
    await titlesFor('t3');
    await platform.settle();
    return (await statements()) - before;
  };
  await waitUntil('the page is hot', async () => (await statementsOfOnePage()) === 0);
  // For longer than this process remembers them: then it asks Redis, where absence is remembered too.
  const until = performance.now() + titleAgeMaxMs + 500;
  let most = 0;
  await waitUntil(
    'they were forgotten',
    async () => {
      most = Math.max(most, await statementsOfOnePage());
      return performance.now() > until;
    },
    titleAgeMaxMs + 5_000,
  );
  expect(most).toBe(0);
});
