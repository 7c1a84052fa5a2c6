import type { Activity } from '@tideline/shared/activity';
import type { Cache } from '@tideline/shared/cache';
import { LRUCache } from 'lru-cache';
import type { FeedApiMetrics } from '../metrics.js';
import { activityBodies } from '../storage/activity-store.js';
import type { SqlScope } from '../storage/sql-scope.js';

const bodiesMax = 20_000;
const bodyTtlS = 86_400;

/**
 * Bodies of activities, which never change: in this process, behind that in Redis, behind that in the database. They are
 * forgotten where a new cache epoch begins, because an erasure begins one.
 */
export class BodyStore {
  readonly #cache: Cache;
  readonly #metrics: FeedApiMetrics;
  readonly #known = new LRUCache<string, Activity>({ max: bodiesMax });
  #epoch: string | undefined;

  constructor(cache: Cache, metrics: FeedApiMetrics) {
    this.#cache = cache;
    this.#metrics = metrics;
  }

  /**
   * The activities that exist, in the order of their ids here. Content before the horizon is gone, even if Redis or this
   * process still has it; follows are no content.
   */
  async read(sql: SqlScope, ids: readonly string[]): Promise<Activity[]> {
    this.#forgetOfOtherEpochs();
    const found = new Map<string, Activity>();
    const unknown = ids.filter((id) => !this.#take(found, this.#known.get(id)));
    this.#metrics.bodiesRead('process', found.size);
    if (unknown.length > 0) {
      const { keys } = this.#cache;
      const bodies = await this.#cache.readMany(unknown.map((id) => keys.body(id)));
      const missing = unknown.filter((_, i) => !this.#take(found, parse(bodies[i])));
      this.#metrics.bodiesRead('redis', unknown.length - missing.length);
      await this.#readMissing(sql, missing, found);
    }
    const kept = ({ id, verb }: Activity) => id >= sql.horizonId || verb === 'follow';
    return ids.flatMap((id) => found.get(id) ?? []).filter(kept);
  }

  #forgetOfOtherEpochs(): void {
    if (this.#cache.isOpen() && this.#cache.keys.epoch !== this.#epoch) {
      this.#epoch = this.#cache.keys.epoch;
      this.#known.clear();
    }
  }

  #take(found: Map<string, Activity>, activity: Activity | undefined): boolean {
    if (activity === undefined) {
      return false;
    }
    found.set(activity.id, activity);
    this.#known.set(activity.id, activity);
    return true;
  }

  async #readMissing(sql: SqlScope, ids: readonly string[], found: Map<string, Activity>): Promise<void> {
    if (ids.length === 0) {
      return;
    }
    const activities = await activityBodies(sql, ids);
    this.#metrics.bodiesRead('sql', activities.length);
    for (const activity of activities) {
      this.#take(found, activity);
    }
    const { keys } = this.#cache;
    await this.#cache.writeMany(
      activities.map((activity) => ({ key: keys.body(activity.id), value: JSON.stringify(activity) })),
      bodyTtlS,
    );
  }
}

function parse(body: string | null | undefined): Activity | undefined {
  return typeof body === 'string' ? (JSON.parse(body) as Activity) : undefined;
}
