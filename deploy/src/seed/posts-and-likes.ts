import type { CrowdSettings } from './crowd-settings.js';
import { purposes, randomStream, shuffled } from './random-stream.js';
import { zipfRanks } from './zipf.js';

/** Post i is by user `authors[i]` at `times[i]`, Unix milliseconds; the oldest comes first. */
export interface Posts {
  authors: Uint32Array;
  times: Float64Array;
}

/** Like i is by user `likers[i]` of post `posts[i]` at `times[i]`. */
export interface Likes {
  likers: Uint32Array;
  posts: Uint32Array;
  times: Float64Array;
}

const activityExponent = 1;
const spreadMs = 30 * 24 * 60 * 60 * 1000;
/** Likes come soon after their post, and then ever fewer. */
const likeDelayExponent = 3;

/** Who posts goes by a power law, of its own: who posts most is not who is followed most. */
export function makePosts({ seed, users, posts }: CrowdSettings, until: number): Posts {
  const diligent = shuffled(users, randomStream(seed, purposes.diligence));
  const rankOf = zipfRanks(users, activityExponent);
  const random = randomStream(seed, purposes.posts);
  const authors = new Uint32Array(posts);
  const times = new Float64Array(posts);
  for (let post = 0; post < posts; post += 1) {
    authors[post] = diligent[rankOf(random())] ?? 0;
    times[post] = until - spreadMs + Math.floor(((post + random()) / posts) * spreadMs);
  }
  return { authors, times };
}

/** Who likes and what is liked go by power laws; nobody likes a post twice. */
export function makeLikes(settings: CrowdSettings, posts: Posts, until: number): Likes {
  const { seed, users, likes } = settings;
  const count = posts.authors.length;
  const enthusiastic = shuffled(users, randomStream(seed, purposes.enthusiasm));
  const noticed = shuffled(count, randomStream(seed, purposes.attention));
  const likerRankOf = zipfRanks(users, activityExponent);
  const postRankOf = zipfRanks(count, activityExponent);
  const random = randomStream(seed, purposes.likes);
  const made: Likes = {
    likers: new Uint32Array(likes),
    posts: new Uint32Array(likes),
    times: new Float64Array(likes),
  };
  const pairs = new Set<number>();
  while (pairs.size < likes) {
    const liker = enthusiastic[likerRankOf(random())] ?? 0;
    const post = noticed[postRankOf(random())] ?? 0;
    const pair = liker * count + post;
    if (pairs.has(pair)) {
      continue;
    }
    const like = pairs.size;
    const postedAt = posts.times[post] ?? until;
    pairs.add(pair);
    made.likers[like] = liker;
    made.posts[like] = post;
    made.times[like] = postedAt + Math.floor(random() ** likeDelayExponent * (until - postedAt));
  }
  return made;
}
