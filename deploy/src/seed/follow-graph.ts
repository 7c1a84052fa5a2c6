import type { CrowdSettings } from './crowd-settings.js';
import { purposes, randomStream, shuffled } from './random-stream.js';
import { zipfRanks } from './zipf.js';

/** Follow i: user `followers[i]` follows user `followees[i]`. Those of one follower stand together. */
export interface FollowGraph {
  followers: Uint32Array;
  followees: Uint32Array;
}

const popularityExponent = 1;

/** Who is followed goes by a power law of popularity; nobody follows themselves, or anybody twice. */
export function makeFollowGraph({ seed, users, followsPerUser }: CrowdSettings): FollowGraph {
  const popular = shuffled(users, randomStream(seed, purposes.popularity));
  const rankOf = zipfRanks(users, popularityExponent);
  const random = randomStream(seed, purposes.follows);
  const followers: number[] = [];
  const followees: number[] = [];
  for (let follower = 0; follower < users; follower += 1) {
    const wanted = followCount(random(), followsPerUser, users - 1);
    const chosen = new Set<number>();
    while (chosen.size < wanted) {
      const followee = popular[rankOf(random())] ?? 0;
      if (followee !== follower && !chosen.has(followee)) {
        chosen.add(followee);
        followers.push(follower);
        followees.push(followee);
      }
    }
  }
  return { followers: Uint32Array.from(followers), followees: Uint32Array.from(followees) };
}

/** Exponential: most follow few, some follow many, and everybody somebody. */
function followCount(random: number, mean: number, max: number): number {
  return Math.min(Math.max(Math.round(-mean * Math.log(1 - random)), 1), max);
}

/** The users with the most followers, and how many they have. */
export function mostFollowed({ followees }: FollowGraph, users: number, top: number): [user: number, count: number][] {
  const counts = new Uint32Array(users);
  for (const followee of followees) {
    counts[followee] = (counts[followee] ?? 0) + 1;
  }
  return [...counts.entries()].sort(([, a], [, b]) => b - a).slice(0, top);
}
