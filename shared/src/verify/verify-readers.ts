import { setTimeout as delay } from 'node:timers/promises';
import type { Cache } from '../cache.js';
import type { Database } from '../database.js';
import { isTidelineError } from '../errors.js';
import type { LogProgress } from '../log-progress.js';
import { type Difference, type FoundDifference, type Look, lookAt } from './look.js';
import type { StoredList } from './stored-feeds.js';

/**
 * Holds what Redis has of feeds against the naive pull, while the system goes on (E12).
 *
 * A look reads a reader's lists, then one snapshot of the database. What differs may be on its way: fanout commits first
 * and delivers second. So after a look that found something, the end of the log is noted, fanout is waited for until it
 * is done with everything below, and then a second look is taken. What differs in both, between a reader and an author
 * whose follow, mute and block are the same in both, is wrong:
 *
 *   missing    The activity and the follow were in the first snapshot, so their records are below the noted end, and the
 *              inbox got them before the second look, which had the list ready and complete down to below the id.
 *   extra      It was in a list, so it had been committed, and the first snapshot, taken after it, did not show it: the
 *              record of why (a delete, an unfollow) is below the noted end, so the list or the marks that readers check
 *              it against were told before the second look.
 *   misordered, damaged    Scripts are atomic: no list is ever so, not even for a moment. The second look decides alone.
 *
 * A follow that came or went in between is another matter each time: the second look then counts as the first, and the
 * end of the log is noted again. And a difference that stays is found: nothing that is on its way takes it away.
 *
 * Where fanout does not get past the noted end in time, stopped or frozen or far behind, nothing is wrong yet and nothing
 * is right: those readers are undecided. Missing and building lists are neither, pages then come from the database.
 * Not compared: bodies, names and titles.
 */

/** Bounds what one wave to Redis and one snapshot hold. */
export const readersPerLookMax = 50;
/** A pair that follows and unfollows all the time is given up. */
const roundsMax = 5;
const pollIntervalMs = 50;

export interface VerifyTools {
  database: Database;
  cache: Cache;
  log: Pick<LogProgress, 'end' | 'hasPassed'>;
}

export interface ReaderDifferences {
  reader: string;
  differences: Difference[];
}

export interface Verification {
  readers: number;
  /** Lists that were ready, and so were compared. */
  inboxes: number;
  outboxes: number;
  notifications: number;
  different: ReaderDifferences[];
  /** What differed so far of those who could not be judged. */
  undecided: ReaderDifferences[];
  /** Why they could not. */
  undecidedBecause?: string;
}

/** Compares at most `readersPerLookMax` readers. Waits for fanout as long as `patience` has something left. */
export async function verifyReaders(
  tools: VerifyTools,
  readers: readonly string[],
  patience: Patience,
): Promise<Verification> {
  const looks = await lookAt(tools.database, tools.cache, readers);
  const different: ReaderDifferences[] = [];
  let suspects = looks.filter(({ found }) => found.length > 0);
  let undecidedBecause = `their follows changed during each of ${roundsMax} looks`;
  for (let round = 1; suspects.length > 0 && round <= roundsMax; round += 1) {
    const hindrance = await waitForFanout(tools, patience);
    if (hindrance !== undefined) {
      undecidedBecause = hindrance;
      break;
    }
    const again = await lookAt(
      tools.database,
      tools.cache,
      suspects.map(({ reader }) => reader),
    );
    const verdicts = suspects.map((before, i) => judge(before, again[i] ?? { ...before, found: [] }));
    different.push(
      ...verdicts.flatMap(({ wrong, reader }) => (wrong.length > 0 ? { reader, differences: wrong } : [])),
    );
    suspects = again.filter((_, i) => verdicts[i]?.again === true);
  }
  return {
    readers: readers.length,
    inboxes: looks.filter(({ inbox }) => isThere(inbox)).length,
    outboxes: looks.filter(({ outbox }) => isThere(outbox)).length,
    notifications: looks.filter(({ notifications }) => isThere(notifications)).length,
    different,
    undecided: suspects.map(({ reader, found }) => ({ reader, differences: found.map(plain) })),
    ...(suspects.length > 0 && { undecidedBecause }),
  };
}

function isThere(state: StoredList['state']): boolean {
  return state === 'ready' || state === 'damaged';
}

/** How long fanout may be waited for, over all calls together: one that is frozen is found so only once. */
export class Patience {
  #leftMs: number;

  constructor(totalMs: number) {
    this.#leftMs = totalMs;
  }

  get isLeft(): boolean {
    return this.#leftMs > 0;
  }

  spend(ms: number): void {
    this.#leftMs -= ms;
  }
}

/** Waits until fanout is done with all that is on the log now. Returns why it is not. */
async function waitForFanout({ log }: VerifyTools, patience: Patience): Promise<string | undefined> {
  try {
    const end = await log.end();
    for (;;) {
      const askedAt = performance.now();
      if (await log.hasPassed(end)) {
        return undefined;
      }
      if (!patience.isLeft) {
        return 'fanout has not delivered yet what was on the log when they were looked at';
      }
      await delay(pollIntervalMs);
      patience.spend(performance.now() - askedAt);
    }
  } catch (error) {
    if (isTidelineError(error, 'unavailable')) {
      return error.message;
    }
    throw error;
  }
}

interface Verdict {
  reader: string;
  wrong: Difference[];
  /** Something differs in both looks whose author the reader stands to otherwise than before. */
  again: boolean;
}

function judge(before: Look, after: Look): Verdict {
  const standings = new Map(before.found.map((found) => [nameOf(found), found.standing]));
  const inBoth = after.found.filter((found) => isNeverRight(found) || standings.has(nameOf(found)));
  const wrong = inBoth.filter((found) => isNeverRight(found) || standings.get(nameOf(found)) === found.standing);
  return { reader: after.reader, wrong: wrong.map(plain), again: wrong.length === 0 && inBoth.length > 0 };
}

function isNeverRight({ fault }: Difference): boolean {
  return fault === 'misordered' || fault === 'damaged';
}

function nameOf({ list, fault, id }: Difference): string {
  return `${list} ${fault} ${id}`;
}

function plain({ list, fault, id, authorId }: FoundDifference): Difference {
  return { list, fault, id, authorId };
}
