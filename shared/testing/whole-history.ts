import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { randomNumbers } from './history.js';
import type { PageBody } from './http-client.js';
import type { Platform } from './platform.js';

/** A system with something of everything, what its readers see of it, and whether they ever see anything else. */

export const users = Array.from({ length: 24 }, (_, i) => `u${i}`);

/** Everything that events can say, some of it twice or taken back. */
export async function makeHistory(platform: Pick<Platform, 'ingest' | 'settle'>): Promise<void> {
  const { ingest } = platform;
  const random = randomNumbers(77);
  const some = () => users[Math.floor(random() ** 2 * users.length)] ?? '';
  const follows = users.flatMap((followerId) =>
    Array.from({ length: 10 }, () => ({ followerId, followeeId: some() })).filter(
      ({ followeeId }) => followeeId !== followerId,
    ),
  );
  await ingest.succeed('POST', '/v1/follows', { body: follows });
  await platform.settle();
  await ingest.succeed('PUT', '/v1/users/u1', { body: { name: 'One', avatar: 'https://example.org/1.png' } });
  await ingest.succeed('PUT', '/v1/users/u1', { body: { name: 'Uno' } });
  for (const id of ['a', 'b', 'c']) {
    await ingest.succeed('PUT', `/v1/objects/photo/${id}`, {
      body: { title: `Photo ${id}`, ownerId: `u${id.length}` },
    });
  }
  const posts: { id: string; actorId: string }[] = [];
  for (let batch = 0; batch < 8; batch += 1) {
    const body = Array.from({ length: 50 }, (_, i) => ({
      actorId: some(),
      verb: i % 5 === 0 ? 'like' : 'post',
      objectType: 'photo',
      objectId: 'abc'[i % 3],
      timestamp: Date.now() - Math.floor(random() * 90 * 86_400_000),
      foreignId: `${batch}-${i}`,
      ...(i % 11 === 0 ? { to: [some()] } : {}),
    }));
    const { items } = await ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
    posts.push(...items.map(({ id }, i) => ({ id, actorId: body[i]?.actorId ?? '' })));
  }
  for (const { id, actorId } of posts.filter(() => random() < 0.1)) {
    await ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: actorId });
  }
  for (let i = 0; i < 20; i += 1) {
    const [actAs, other] = [some(), some()];
    if (actAs !== other) {
      await ingest.request('DELETE', `/v1/follows/${other}`, { actAs });
      await ingest.succeed(i % 2 ? 'PUT' : 'DELETE', `/v1/${i % 3 ? 'mutes' : 'blocks'}/${other}`, { actAs });
    }
  }
  await platform.settle();
}

/** By reader its whole home feed, pulled and hybrid, and its notifications, with all that a client sees of them. */
export async function hashesOfFeeds({ feedApi }: Pick<Platform, 'feedApi'>): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const reader of users) {
    const feeds = [
      await feedApi.walk('/v1/feeds/home', reader, 50, { strategy: 'pull' }),
      await feedApi.walk('/v1/feeds/home', reader, 50),
      await feedApi.walk('/v1/feeds/notifications', reader, 50),
    ];
    const profile = await feedApi.succeed<object>('GET', `/v1/users/${reader}`, { actAs: 'u0' });
    // No event says when its projection was written first.
    const text = JSON.stringify([feeds, { ...profile, createdAt: 0, updatedAt: 0 }]);
    hashes[reader] = createHash('sha256').update(text).digest('hex');
  }
  return hashes;
}

/** First pages of all readers, as they are now. */
export async function firstPages({ feedApi }: Pick<Platform, 'feedApi'>): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const reader of users) {
    const { items } = await feedApi.succeed<PageBody>('GET', '/v1/feeds/home?limit=50', { actAs: reader });
    pages.set(reader, JSON.stringify(items));
  }
  return pages;
}

/**
 * Reads these pages until told to stop: how many were right, refused, and wrong. A refusal is a 503, or one of these.
 */
export function pollFeeds(
  { feedApi }: Pick<Platform, 'feedApi'>,
  right: ReadonlyMap<string, string>,
  refusals: readonly number[] = [],
) {
  const counts = { right: 0, refused: 0 };
  const wrong: string[] = [];
  let stopping = false;
  const running = (async () => {
    while (!stopping) {
      for (const [reader, page] of right) {
        const { status, body } = await feedApi.request<PageBody>('GET', '/v1/feeds/home?limit=50', { actAs: reader });
        if (status === 503 || refusals.includes(status)) {
          counts.refused += 1;
        } else if (JSON.stringify(body.items) === page) {
          counts.right += 1;
        } else {
          wrong.push(`${reader}: ${status}, ${body.items?.length} items`);
        }
      }
      await delay(1);
    }
  })();
  return {
    counts,
    wrong,
    async stop() {
      stopping = true;
      await running;
    },
  };
}
