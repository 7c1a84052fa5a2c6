import { redisConnection } from '@tideline/shared/redis-connection';
import type { Report } from './report.js';

/**
 * Events (`E`) of keys that expired (`x`) or were evicted (`e`), and of no others: each class that is told of costs, most
 * of all those of writes (docs/decisions/0009-keyspace-notifications.md).
 */
export const neededFlags = 'Exe';
const parameter = 'notify-keyspace-events';
const timeouts = { connectTimeoutMs: 3_000, commandTimeoutMs: 3_000 };

/**
 * Has Redis tell of lists that it lost, where it does not yet; what else it tells of is left as it is. Feeds do without:
 * where Redis does not answer or refuses, as some hosts do, that is said, and nothing else fails.
 */
export async function tellOfLostKeys(redisUrl: string, report: Report): Promise<void> {
  const redis = redisConnection(redisUrl, timeouts);
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const [, flags = ''] = (await redis.config('GET', parameter)) as string[];
    const missing = [...neededFlags].filter((flag) => !includesFlag(flags, flag));
    if (missing.length > 0) {
      await redis.config('SET', parameter, flags + missing.join(''));
      report(`Redis tells of keys that expire or are evicted: ${parameter} ${flags}${missing.join('')}`);
    }
  } catch (error) {
    report(
      `Redis does not tell of keys that expire or are evicted (${(error as Error).message}): set ${parameter} to ${neededFlags} yourself`,
    );
  } finally {
    redis.disconnect();
  }
}

/** `A` stands for every class. */
export function includesFlag(flags: string, flag: string): boolean {
  return flags.includes(flag) || (flag !== 'E' && flags.includes('A'));
}
