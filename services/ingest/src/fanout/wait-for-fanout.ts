import { setTimeout as delay } from 'node:timers/promises';
import type { Cache } from '@tideline/shared/cache';
import { unlessUnavailable } from '@tideline/shared/errors';
import { type FanoutResult, readFanoutResult } from '@tideline/shared/fanout-results';

const pauseFirstMs = 2;
const pauseMaxMs = 50;

/**
 * Waits until fanout is done with all of these records, for `timeoutMs` at most, and resolves with the results that there
 * are by then. Of control records only those have one that were marked as awaited. With Redis away there is nothing to
 * wait for, and it resolves at once.
 */
export async function waitForFanout(
  cache: Pick<Cache, 'keys' | 'readMany'>,
  ids: readonly string[],
  timeoutMs: number,
): Promise<Map<string, FanoutResult>> {
  const found = new Map<string, FanoutResult>();
  const deadline = performance.now() + timeoutMs;
  let missing = ids;
  for (let pauseMs = pauseFirstMs; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
    const results = await unlessUnavailable(() => readFanoutResult(cache, missing));
    if (results === undefined) {
      return found;
    }
    for (const [id, result] of results) {
      found.set(id, result);
    }
    missing = missing.filter((id) => !found.has(id));
    const leftMs = deadline - performance.now();
    if (missing.length === 0 || leftMs <= 0) {
      return found;
    }
    await delay(Math.min(pauseMs, leftMs));
  }
}
