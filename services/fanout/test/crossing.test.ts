import { FollowGraph, type Post, postActivities, randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Authors who cross the follower threshold up and down again while they post, are followed, unfollowed and read (I7). */

const stars = ['star-0', 'star-1', 'star-2'];
const readers = Array.from({ length: 24 }, (_, i) => `reader-${i}`);
const followerThreshold = 12;
const rounds = 6;
const postsPerRound = 90;

const random = randomNumbers(71);
const posts: Post[] = [];
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold, inboxCap: 40, partitions: 3 });
});
afterAll(() => platform.stop());

test('what is posted while an author crosses the threshold is in every right feed once, both ways and again and again', async () => {
  const crossings: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const isUp = round % 2 === 0;
    // Some stay on both sides, so that there are followers who saw every crossing.
    const moving = readers.filter((_, i) => i >= 4);
    const reading = readingRepeatedly();
    const [posted] = await Promise.all([
      postActivities(platform, {
        actors: stars,
        count: postsPerRound,
        random,
        spreadMs: 2_000,
        until: Date.now(),
        name: `round-${round}`,
      }),
      ...(isUp ? readers : moving).map((reader) => changeFollows(reader, isUp ? 'PUT' : 'DELETE')),
    ]);
    posts.push(...posted);
    await platform.settle();
    await reading.end();

    const graph = new FollowGraph();
    for (const reader of isUp ? readers : readers.slice(0, 4)) {
      for (const star of stars) {
        graph.add(reader, star);
      }
    }
    await expectExactFeeds(graph);
    const { rows } = await platform.database.query<{ mode: string }>(
      'select distinct mode from authors where author_id = any($1)',
      [stars],
    );
    crossings.push(rows.map(({ mode }) => mode).join());
  }
  expect(crossings).toEqual(['pull', 'push', 'pull', 'push', 'pull', 'push']);
});

async function changeFollows(reader: string, method: 'PUT' | 'DELETE'): Promise<void> {
  for (const star of stars) {
    await platform.ingest.succeed(method, `/v1/follows/${star}`, { actAs: reader });
  }
}

/** Walks all feeds until told to end; a walk throws where an item comes twice or out of order. */
function readingRepeatedly(): { end(): Promise<void> } {
  const ending = new AbortController();
  const reading = Promise.all(
    [0, 1, 2].map(async (part) => {
      while (!ending.signal.aborted) {
        for (const reader of readers.filter((_, i) => i % 3 === part)) {
          const ids = (await platform.feedApi.walk('/v1/feeds/home', reader, 20)).map(({ id }) => id);
          expect(ids).toEqual([...new Set(ids)].sort().reverse());
        }
      }
    }),
  );
  return {
    async end() {
      ending.abort();
      await reading;
    },
  };
}

async function expectExactFeeds(graph: FollowGraph): Promise<void> {
  for (const reader of readers) {
    for (const strategy of ['hybrid', 'pull']) {
      const items = await platform.feedApi.walk('/v1/feeds/home', reader, 50, { strategy });
      expect(
        items.map(({ id }) => id),
        `${reader} ${strategy}`,
      ).toEqual(graph.homeOf(reader, posts));
    }
  }
  await platform.settleReads();
}
