import { base, en, Faker } from '@faker-js/faker';
import type { ActivityInput } from '@tideline/shared/activity';
import type { CrowdSettings } from './crowd-settings.js';
import { type FollowGraph, makeFollowGraph, mostFollowed } from './follow-graph.js';
import { type Likes, makeLikes, makePosts, type Posts } from './posts-and-likes.js';
import { purposes } from './random-stream.js';

const digitsMin = 6;

/**
 * Users, whom they follow, what they post and like: wholly made of the settings and `until`, the time after which nothing
 * happens. Everything has a number from 0, so that a run can go on anywhere.
 */
export class Crowd {
  readonly settings: CrowdSettings;
  readonly #graph: FollowGraph;
  readonly #posts: Posts;
  readonly #likes: Likes;
  readonly #likedPosts: Uint32Array;
  readonly #faker = new Faker({ locale: [en, base] });

  constructor(settings: CrowdSettings, until: number) {
    this.settings = settings;
    this.#graph = makeFollowGraph(settings);
    this.#posts = makePosts(settings, until);
    this.#likes = makeLikes(settings, this.#posts, until);
    this.#likedPosts = Uint32Array.from(new Set(this.#likes.posts)).sort();
  }

  get followCount(): number {
    return this.#graph.followers.length;
  }

  /** How many posts are liked by anybody. */
  get likedPostCount(): number {
    return this.#likedPosts.length;
  }

  userId(user: number): string {
    return this.#id(user);
  }

  userName(user: number): string {
    this.#faker.seed([this.settings.seed, purposes.names, user]);
    return this.#faker.person.fullName();
  }

  follow(index: number): { followerId: string; followeeId: string } {
    const { followers, followees } = this.#graph;
    return { followerId: this.userId(at(followers, index)), followeeId: this.userId(at(followees, index)) };
  }

  post(index: number): ActivityInput {
    const postId = this.#postId(index);
    return {
      actorId: this.userId(at(this.#posts.authors, index)),
      verb: 'post',
      objectType: 'post',
      objectId: postId,
      objectTitle: this.#title(index),
      foreignId: postId,
      timestamp: at(this.#posts.times, index),
    };
  }

  /** A post that somebody likes, as an object: what likes it is told to its owner. */
  likedPost(index: number): { type: string; id: string; title: string; ownerId: string } {
    const post = at(this.#likedPosts, index);
    const ownerId = this.userId(at(this.#posts.authors, post));
    return { type: 'post', id: this.#postId(post), title: this.#title(post), ownerId };
  }

  like(index: number): ActivityInput {
    const liker = at(this.#likes.likers, index);
    const post = at(this.#likes.posts, index);
    return {
      actorId: this.userId(liker),
      verb: 'like',
      objectType: 'post',
      objectId: this.#postId(post),
      objectTitle: this.#title(post),
      foreignId: `${this.#postId(post)}-like-${liker}`,
      timestamp: at(this.#likes.times, index),
    };
  }

  mostFollowed(top: number): { user: number; followers: number }[] {
    return mostFollowed(this.#graph, this.settings.users, top).map(([user, followers]) => ({ user, followers }));
  }

  #postId(post: number): string {
    return this.#id(post, '-post');
  }

  #id(number: number, kind = ''): string {
    return `seed-${this.settings.seed}${kind}-${String(number).padStart(digitsMin, '0')}`;
  }

  #title(post: number): string {
    this.#faker.seed([this.settings.seed, purposes.titles, post]);
    return this.#faker.hacker.phrase();
  }
}

function at(numbers: Uint32Array | Float64Array, index: number): number {
  const value = numbers[index];
  if (value === undefined) {
    throw new RangeError(`There is no number ${index} of ${numbers.length}`);
  }
  return value;
}
