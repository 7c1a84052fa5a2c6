import { setTimeout as delay } from 'node:timers/promises';
import type { IngestClient } from './ingest-client.js';

/** Where activities go, and what an import tells meanwhile. */
export interface ImportTarget {
  ingest: IngestClient;
  ingestUrl: string;
  /**
   * Whether an activity that was posted before is still there: another database is another target, even at the same
   * address. Where nobody can tell, it is believed to be.
   */
  hasActivity(id: string): Promise<boolean>;
  /** Keeps how far imports got. */
  stateFolder: string;
  /** Aborted when the import should stop after the array that is under way. */
  signal: AbortSignal;
  report(line: string): void;
}

const lookUpTimeoutMs = 5_000;
/** An import that ended just now may still be on its way through fan-out. */
const lookUpAttemptsMax = 5;
const lookUpRetryMs = 200;

export function activityLookUp(feedApiUrl: string, key: string): ImportTarget['hasActivity'] {
  return async (id) => {
    for (let attempt = 1; attempt <= lookUpAttemptsMax; attempt += 1) {
      const status = await statusOf(new URL(`/v1/activities/${id}`, feedApiUrl), key);
      if (status !== 404) {
        return true;
      }
      await delay(lookUpRetryMs);
    }
    return false;
  };
}

async function statusOf(url: URL, key: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, {
      headers: { 'x-app-key': key },
      signal: AbortSignal.timeout(lookUpTimeoutMs),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}
