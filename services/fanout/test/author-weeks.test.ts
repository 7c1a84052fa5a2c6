import { randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Pages look for an author's activities only in the weeks that `author_weeks` has (feed-api/src/storage/time-windows.ts). */

const yearMs = 365 * 86_400_000;
const random = randomNumbers(15);
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

const differenceSql = `
  with told as (select author_id, week from author_weeks),
    true_weeks as (select distinct actor_id, activity_week(id) from activities)
  (table told except table true_weeks) union all (table true_weeks except table told)`;

async function weeksOf(author: string): Promise<number[]> {
  const { rows } = await platform.database.query<{ week: number }>(
    'select week from author_weeks where author_id = $1 order by week',
    [author],
  );
  return rows.map(({ week }) => week);
}

test('the weeks in which somebody did something are written with what was done', async () => {
  for (let batch = 0; batch < 4; batch += 1) {
    const body = Array.from({ length: 100 }, (_, i) => ({
      actorId: `author-${i % 7}`,
      verb: 'post',
      objectType: 'note',
      objectId: `n-${batch}-${i}`,
      timestamp: Date.now() - Math.floor(random() * yearMs),
    }));
    await platform.ingest.succeed('POST', '/v1/activities', { body });
  }
  await platform.settle();
  expect((await weeksOf('author-1')).length).toBeGreaterThan(20);
  expect((await platform.database.query(differenceSql)).rows).toEqual([]);
});

test('an activity of long ago is found among others that are newer and older', async () => {
  const timestamps = [6, 3, 9].map((years) => Date.now() - years * yearMs);
  const ids: string[] = [];
  for (const timestamp of timestamps) {
    const body = { actorId: 'late', verb: 'post', objectType: 'note', objectId: 'n', timestamp };
    const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
    await platform.settle();
    ids.push(id);
    const items = await platform.feedApi.walk('/v1/feeds/home', 'late', 1, { strategy: 'pull' });
    expect(items.map((item) => item.id)).toEqual([...ids].sort().reverse());
  }
  expect(await weeksOf('late')).toHaveLength(3);
});
