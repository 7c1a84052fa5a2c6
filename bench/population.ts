import { activityLimits } from '@tideline/shared/activity';
import { waitUntil } from '@tideline/testing/wait-until';
import type { BenchSystem } from './bench-system.js';
import { inboxesReady } from './inbox-probe.js';

/** Readers, the first of whom are authors too, and who follows whom. */
export interface Population {
  readers: string[];
  authors: string[];
  followersOf: ReadonlyMap<string, readonly string[]>;
}

export interface PopulationOptions {
  authors: number;
  readers: number;
  /** Followers of an author on average. */
  followers: number;
  random: () => number;
}

/** How steeply followers fall from the author with most of them to the one with fewest: count ~ rank ^ -0.8. */
const powerLawExponent = 0.8;
const warmedAtATime = 100;

/** Followers by a power law, each chosen evenly among the readers. */
export function makePopulation({ authors, readers, followers, random }: PopulationOptions): Population {
  const everyone = Array.from({ length: readers }, (_, i) => `user-${i}`);
  const weights = Array.from({ length: authors }, (_, i) => (i + 1) ** -powerLawExponent);
  const scale = (followers * authors) / weights.reduce((sum, weight) => sum + weight, 0);
  const followersOf = new Map(
    weights.map((weight, i) => {
      const wanted = Math.min(Math.max(Math.round(weight * scale), 1), readers - 1);
      const chosen = new Set<string>();
      while (chosen.size < wanted) {
        chosen.add(everyone[Math.floor(random() * readers)] ?? '');
        chosen.delete(`user-${i}`);
      }
      return [`user-${i}`, [...chosen]];
    }),
  );
  return { readers: everyone, authors: everyone.slice(0, authors), followersOf };
}

export function followsOf({ followersOf }: Population): number {
  return [...followersOf.values()].reduce((sum, followers) => sum + followers.length, 0);
}

/** Tells ingest who follows whom, and waits until fanout has taken it in. */
export async function postFollows(system: BenchSystem, { followersOf }: Population): Promise<void> {
  const follows = [...followersOf].flatMap(([followeeId, followers]) =>
    followers.map((followerId) => ({ followerId, followeeId })),
  );
  for (let start = 0; start < follows.length; start += activityLimits.followBatchMax) {
    await system.ingest.succeed('POST', '/v1/follows', {
      body: follows.slice(start, start + activityLimits.followBatchMax),
    });
  }
  await system.caughtUp();
}

/** Reads every reader's home feed, so that feed-api builds its inbox, and waits until it has. */
export async function warmInboxes({ feedApi, cache }: BenchSystem, readers: readonly string[]): Promise<void> {
  for (let start = 0; start < readers.length; start += warmedAtATime) {
    const some = readers.slice(start, start + warmedAtATime);
    await Promise.all(some.map((actAs) => feedApi.succeed('GET', '/v1/feeds/home', { actAs })));
    await waitUntil('feed-api has built inboxes', async () => (await inboxesReady(cache, some)) === some.length);
  }
}
