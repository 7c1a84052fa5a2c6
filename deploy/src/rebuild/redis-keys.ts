import type { ServerConfig } from '@tideline/shared/config';
import { unavailable } from '@tideline/shared/errors';
import { redisConnection } from '@tideline/shared/redis-connection';

const timeouts = { connectTimeoutMs: 3_000, commandTimeoutMs: 10_000 };
const keysPerScan = 1_000;

export type Redis = ReturnType<typeof redisConnection>;

/** Runs work with a connection, and closes it. Throws `unavailable` where Redis does not answer. */
export async function withRedis<T>({ redisUrl }: ServerConfig, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = redisConnection(redisUrl, timeouts);
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await work(redis);
  } catch (error) {
    throw unavailable(`Redis does not answer: ${(error as Error).message}`, error);
  } finally {
    redis.disconnect();
  }
}

/** All keys of an installation, some at a time; one may come twice. */
export async function* keysOf(redis: Redis, namespace: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${namespace}:*`, 'COUNT', keysPerScan);
    yield keys;
    cursor = next;
  } while (cursor !== '0');
}
