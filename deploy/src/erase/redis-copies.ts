import type { ServerConfig } from '@tideline/shared/config';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { decodeTombstone } from '@tideline/shared/registers';
import { keysOf, type Redis, withRedis } from '../rebuild/redis-keys.js';
import type { Progress } from './erasure.js';

/** Of whom, and of which activities, nothing may stay in Redis. */
export interface Erased {
  userId: string;
  recentIds: readonly string[];
}

const keysPerCommand = 1_000;

/** Takes objects out of Redis, so that nobody is told whose they were. */
export async function forgetObjects(
  config: ServerConfig,
  epoch: string,
  { types, ids }: Progress['objects'],
): Promise<void> {
  const keys = new FeedKeys(config.namespace, epoch);
  const names = ids.flatMap((id, i) => [keys.object(types[i] ?? '', id), keys.objectType(id)]);
  await withRedis(config, (redis) => unlink(redis, names));
}

/**
 * Takes out of Redis what names the user and lives under no cache epoch, or was brought into the one that began by somebody who
 * had it in hand: bodies, names, titles, results, and what was answered to writes. All of it is a copy, but for the answers: a
 * repetition of such a write is a new one. Returns how many keys.
 */
export async function removeCopies(
  config: ServerConfig,
  epoch: string,
  { userId, recentIds }: Erased,
): Promise<number> {
  const { namespace } = config;
  const keys = new FeedKeys(namespace, epoch);
  const recent = new Set(recentIds);
  const isNamed = (text: string | null) =>
    text !== null && (text.includes(`"${userId}"`) || idsIn(text).some((id) => recent.has(id)));
  const values = ['body', 'user', 'object', 'object-id'].map((kind) => `${namespace}:${epoch}:${kind}:`);
  const answers = keys.idempotencyKey('');
  return withRedis(config, async (redis) => {
    let removed = await unlink(
      redis,
      recentIds.flatMap((id) => [keys.fanoutResult(id), keys.body(id)]),
    );
    for await (const found of keysOf(redis, namespace)) {
      const copies = found.filter((key) => values.some((prefix) => key.startsWith(prefix)));
      const texts = copies.length === 0 ? [] : await redis.mget(copies);
      removed += await unlink(
        redis,
        copies.filter((key, i) => key === keys.user(userId) || isNamed(texts[i] ?? null)),
      );
      const writes = found.filter((key) => key.startsWith(answers));
      const replies = await Promise.all(writes.map((key) => redis.hget(key, 'reply')));
      removed += await unlink(
        redis,
        writes.filter((_, i) => isNamed(replies[i] ?? null)),
      );
    }
    const tombstones = await redis.lrangeBuffer(keys.tombstones(), 0, -1);
    if (tombstones.some((entry) => decodeTombstone(entry).authorId === userId)) {
      removed += await unlink(redis, [keys.tombstones()]);
    }
    return removed;
  });
}

function idsIn(text: string): string[] {
  return text.match(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g) ?? [];
}

async function unlink(redis: Redis, keys: readonly string[]): Promise<number> {
  let removed = 0;
  for (let start = 0; start < keys.length; start += keysPerCommand) {
    removed += await redis.unlink(...keys.slice(start, start + keysPerCommand));
  }
  return removed;
}
