import { randomBytes } from 'node:crypto';
import type { Activity } from '@tideline/shared/activity';
import type { Cache, ScriptCall } from '@tideline/shared/cache';
import { loadScript } from '@tideline/shared/redis-script';
import { decodeTombstone, encodeTombstone, type TombstoneEntry, tombstoneName } from '@tideline/shared/registers';
import type { FeedApiMetrics } from '../metrics.js';
import { readRecentTombstones } from '../storage/register-source.js';
import type { SqlScope } from '../storage/sql-scope.js';

const readScript = loadScript('read-tombstones', import.meta.url);
const beginScript = loadScript('begin-tombstones', import.meta.url);
const finishScript = loadScript('finish-tombstones', import.meta.url);

const tombstonesTtlS = 3_600;
const loadingTtlS = 10;
const tokenBytes = 16;

/** Answers whether an activity is deleted. A tombstone counts only where its author is the activity's. */
export interface Tombstones {
  cover(activity: Pick<Activity, 'id' | 'actorId'>): boolean;
}

/**
 * Recent tombstones of everybody, mirrored in this process: each read fetches, in its one round trip, what was
 * appended since. A loading has a name of its own, so the mirror starts anew when the list does.
 */
export class TombstoneStore {
  readonly #cache: Cache;
  readonly #metrics: FeedApiMetrics;
  #mirror = new Mirror(Buffer.alloc(0), []);

  constructor(cache: Cache, metrics: FeedApiMetrics) {
    this.#cache = cache;
    this.#metrics = metrics;
  }

  /** The call that fetches what is new, and what to do with its answer. */
  refresh(): { call: ScriptCall; confirm: (sql: SqlScope, answer: unknown) => Promise<Tombstones> } {
    const { keys } = this.#cache;
    const known = this.#mirror;
    const knownCount = known.count;
    return {
      call: {
        script: readScript,
        keys: [keys.bucketEpoch(0), keys.tombstones()],
        args: [keys.epoch, known.loading, knownCount],
      },
      confirm: async (sql, answer) => {
        const [loading, ...entries] = answer as [Buffer, ...Buffer[]];
        if (loading.length === 0) {
          return this.#load(sql);
        }
        if (known.loading.equals(loading)) {
          known.append(knownCount, entries);
          return known;
        }
        this.#mirror = new Mirror(loading, entries.map(decodeTombstone));
        return this.#mirror;
      },
    };
  }

  async #load(sql: SqlScope): Promise<Tombstones> {
    this.#metrics.tombstonesLoaded();
    const { keys } = this.#cache;
    const names = [keys.bucketEpoch(0), keys.tombstones()];
    const token = randomBytes(tokenBytes);
    await this.#cache.runOne(beginScript, names, [keys.epoch, token, loadingTtlS]);
    const tombstones = await readRecentTombstones(sql);
    await this.#cache.runOne(finishScript, names, [
      keys.epoch,
      token,
      tombstonesTtlS,
      ...tombstones.map(encodeTombstone),
    ]);
    // Good for this request; the next one mirrors the list with all that was appended meanwhile.
    return new Mirror(token, tombstones);
  }
}

class Mirror implements Tombstones {
  readonly loading: Buffer;
  /** Entries of the list that are in here. */
  count: number;
  readonly #entries = new Set<string>();

  constructor(loading: Buffer, tombstones: readonly TombstoneEntry[]) {
    this.loading = loading;
    this.count = tombstones.length;
    for (const { activityId, authorId } of tombstones) {
      this.#entries.add(tombstoneName(activityId, authorId));
    }
  }

  cover({ id, actorId }: Pick<Activity, 'id' | 'actorId'>): boolean {
    return this.#entries.size > 0 && this.#entries.has(tombstoneName(id, actorId));
  }

  /** Takes entries that follow the first `from`; another read may have brought some of them already. */
  append(from: number, entries: readonly Buffer[]): void {
    for (const entry of entries) {
      const { activityId, authorId } = decodeTombstone(entry);
      this.#entries.add(tombstoneName(activityId, authorId));
    }
    this.count = Math.max(this.count, from + entries.length);
  }
}
