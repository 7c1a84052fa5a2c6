import type { Cache } from '@tideline/shared/cache';
import type { FanoutResult } from '@tideline/shared/fanout-results';
import type { Reply } from '@tideline/shared/http/api';
import { z } from 'zod';
import { waitForFanout } from '../fanout/wait-for-fanout.js';

/** `Prefer: wait=N` (RFC 7240): a caller who would rather wait than be answered before fanout is done. */

const waitMaxS = 10;

export const preferHeaders = z.object({
  Prefer: z
    .string()
    .optional()
    .meta({
      description: `\`wait=N\`: answer once fanout is done, after N seconds at most. N is whole seconds, and counts as ${waitMaxS} where it is more. Whatever else is preferred is ignored, as is a wait that is malformed.`,
      example: 'wait=5',
    }),
});

/** For the replies of routes that take the preference. */
export const appliedHeaders = { 'Preference-Applied': '`wait=N` where fanout was done in time.' };

interface Headers {
  headers: NodeJS.Dict<string | string[]>;
}

/** How many seconds the caller would wait, at most 10; undefined where it does not say so. Of several the first counts. */
export function waitPreferenceOf({ headers }: Headers): number | undefined {
  const preferences = String(headers['prefer'] ?? '').split(',');
  const wait = preferences.find((preference) => /^\s*wait\b/i.test(preference));
  const seconds = /^\s*wait\s*=\s*("?)(\d+)\1\s*(;|$)/i.exec(wait ?? '')?.[2];
  return seconds === undefined ? undefined : Math.min(Number(seconds), waitMaxS);
}

/**
 * Waits for as long as the caller prefers. Resolves with the results of all these records, or undefined where the caller
 * would not wait, or did in vain.
 */
export async function resultsInTime(
  cache: Pick<Cache, 'keys' | 'readMany'>,
  waitS: number | undefined,
  ids: readonly string[],
): Promise<Map<string, FanoutResult> | undefined> {
  if (waitS === undefined) {
    return undefined;
  }
  const found = await waitForFanout(cache, ids, waitS * 1_000);
  return found.size === new Set(ids).size ? found : undefined;
}

/** Gives the reply once fanout has applied the records, or the caller would wait no longer. */
export async function onceApplied(
  cache: Pick<Cache, 'keys' | 'readMany'>,
  request: Headers,
  ids: readonly string[],
  reply: Reply,
): Promise<Reply> {
  const waitS = waitPreferenceOf(request);
  const results = await resultsInTime(cache, waitS, ids);
  return results === undefined ? reply : { ...reply, headers: { ...reply.headers, ...applied(waitS) } };
}

/** The header that says that the preference was honoured. */
export function applied(waitS: number | undefined): Record<string, string> {
  return { 'Preference-Applied': `wait=${waitS}` };
}
