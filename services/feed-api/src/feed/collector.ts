import type { Activity } from '@tideline/shared/activity';
import { lowestActivityId } from '@tideline/shared/activity-id';
import { unlessUnavailable } from '@tideline/shared/errors';
import { materializedPart } from '../storage/materialized-home.js';
import { pullHome } from '../storage/naive-pull.js';
import type { SqlScope } from '../storage/sql-scope.js';
import type { Feed } from './feed.js';
import type { FeedTools } from './feed-tools.js';
import { readLists } from './list-pages.js';

/**
 * hybrid: lists of pushed authors merged with those of pulled ones. push: without the pulled ones, as far down as the
 * inbox reaches. pull: one plain query. materialized: a view of home feeds, and what came since it was refreshed.
 */
export type Strategy = 'hybrid' | 'push' | 'pull' | 'materialized';

/** Some more than the page needs, so that a few corrections do not cost another look at the view. */
const spareCandidates = 8;

/** What is read of a feed for one page, from wherever the strategy has it. */
export class Collector {
  /** True once Redis was not available, so that the database alone was asked. */
  degraded = false;
  readonly #tools: FeedTools;
  readonly #sql: SqlScope;
  readonly #feed: Feed;
  readonly #read: (before: string, wanted: number) => Promise<Activity[]>;

  /** `goAround`: nothing that was kept for a moment may be shown, the client asked for that. */
  constructor(tools: FeedTools, sql: SqlScope, feed: Feed, strategy: Strategy, goAround: boolean) {
    this.#tools = tools;
    this.#sql = sql;
    this.#feed = feed;
    this.#read = {
      hybrid: (before: string, wanted: number) => this.#readLists(before, wanted),
      push: (before: string, wanted: number) => this.#readLists(before, wanted),
      pull: (before: string, wanted: number) => this.#pull(before, wanted, goAround),
      materialized: (before: string, wanted: number) => this.#readMaterialized(before, wanted),
    }[strategy];
  }

  /** Up to `wanted` activities below `before`, newest first. Fewer mean that there are no more. */
  collect(before: string, wanted: number): Promise<Activity[]> {
    return this.#read(before, wanted);
  }

  /** From Redis down to the floor, below it from the database: one page, one order. */
  async #readLists(before: string, wanted: number): Promise<Activity[]> {
    const { metrics } = this.#tools;
    const read = await unlessUnavailable(async () => ({
      lists: await readLists(this.#tools, this.#sql, this.#feed, before, wanted),
    }));
    this.degraded ||= read === undefined;
    if (read?.lists === undefined) {
      metrics.cacheRead(read === undefined ? 'off' : 'miss');
      return this.#readDatabase(before, wanted);
    }
    // At most `before`, also where a cursor is far below the floor already.
    const { activities, completeDownTo } = read.lists;
    if (activities.length >= wanted || completeDownTo === lowestActivityId) {
      metrics.cacheRead('hit');
      return activities;
    }
    metrics.cacheRead('floor');
    return [...activities, ...(await this.#readDatabase(completeDownTo, wanted - activities.length))];
  }

  /** From the view down to where it ends, below that as ever. */
  async #readMaterialized(before: string, wanted: number): Promise<Activity[]> {
    const activities: Activity[] = [];
    let below = before;
    for (let goesOn = true; goesOn && activities.length < wanted; ) {
      const count = wanted - activities.length + spareCandidates;
      const part = await materializedPart(this.#sql, this.#feed.reader, below, count);
      activities.push(...(part?.activities ?? []));
      below = part?.completeDownTo ?? below;
      goesOn = part?.goesOn === true;
    }
    return activities.length >= wanted
      ? activities
      : [...activities, ...(await this.#readDatabase(below, wanted - activities.length))];
  }

  #readDatabase(before: string, limit: number): Promise<Activity[]> {
    return this.#feed.stretch(this.#sql, { direction: 'older', from: before, limit });
  }

  /** One plain query, whose answer may be kept: its ids, because bodies are at hand anyway. */
  #pull(before: string, wanted: number, goAround: boolean): Promise<Activity[]> {
    const { pullCache, bodies } = this.#tools;
    const { reader, shows } = this.#feed;
    const query = {
      reader,
      name: `home ${before} ${wanted}`,
      run: () => pullHome(this.#sql, reader, before, wanted),
      keep: ({ id }: Activity) => id,
      restore: (ids: readonly string[]) => bodies.read(this.#sql, ids),
      shows,
    };
    return pullCache.read(this.#sql, query, goAround);
  }
}
