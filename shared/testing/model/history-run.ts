import { foreignActivityId } from '@tideline/shared/activity-id';
import { randomNumbers } from '../history.js';
import type { RequestOptions } from '../http-client.js';
import { type Command, describeCommand, type Publish, userCount, userLetter } from './commands.js';
import { FeedExpectations } from './feed-expectations.js';
import type { History } from './histories.js';
import type { ModelSystem } from './model-system.js';
import type { Fact, Post } from './reference-model.js';
import { Walk } from './walk.js';

interface Sent {
  options: RequestOptions;
  actor: string;
  to: string[] | undefined;
  /** Redis had been lost so many times when it was sent: keys are forgotten with it. */
  redisLosses: number;
  ids: string[];
  by: Publish['by'];
  label: string;
}

const users = Array.from({ length: userCount }, (_, user) => user);
const restLimits = [1, 2, 3, 5, 7, 10, 20, 50];
/** Long feeds are not walked item by item: that would be most of the work. */
const pagesOfWalkMax = 8;
const activityIds = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const pullShare = 0.34;
const pushShare = 0.34;
const profileShare = 0.25;

/** One history on the running system: does what its commands say, keeps the model, and compares. */
export class HistoryRun {
  readonly #system: ModelSystem;
  readonly #history: History;
  readonly #prefix: string;
  /** Unix milliseconds that ages are counted from. */
  readonly #beganAt: number;
  readonly #random: () => number;
  readonly #expectations: FeedExpectations;
  readonly #posts: Post[] = [];
  /** What people call a post by its id: its actor, the number of the publication and its place in that. */
  readonly #labels = new Map<string, string>();
  readonly #sent: Sent[] = [];
  #publications = 0;
  readonly #walks: Walk[] = [];
  readonly #meanwhile: Promise<void>[] = [];
  /** Why it failed, and where it was then. */
  failure: { message: string; at: string } | undefined;

  constructor(system: ModelSystem, history: History, prefix: string, seed: number) {
    this.#system = system;
    this.#history = history;
    this.#prefix = prefix;
    this.#beganAt = Date.now();
    this.#random = randomNumbers(seed);
    this.#expectations = new FeedExpectations(users.map((user) => this.#name(user)));
  }

  /** Does the commands of a phase; `onCommand` is called before each. */
  async runPhase(phase: number, onCommand: () => void): Promise<void> {
    if (phase === 0) {
      await this.#attempt('the first follows', () => this.#firstFollows());
    }
    for (const [i, command] of (this.#history.phases[phase] ?? []).entries()) {
      onCommand();
      await this.#attempt(`phase ${phase}, command ${i}: ${describeCommand(command)}`, () => this.#run(command));
    }
    await this.#attempt(`phase ${phase}, what was read meanwhile`, async () => {
      await Promise.all(this.#meanwhile.splice(0));
    });
  }

  /**
   * Holds every reader's feeds against the model. To be called while the system is at rest. All strategies are compared
   * with the same model: unless `all` are asked for, hybrid is each time and the others in turn.
   */
  async checkAtRest(when: string, all: boolean): Promise<void> {
    const asked = (share: number) => all || this.#random() < share;
    await this.#attempt(when, async () => {
      this.#expectations.atRest();
      for (const user of users) {
        const reader = this.#name(user);
        const home = this.#expectations.model.home(reader);
        await this.#expectWalk('/v1/feeds/home', reader, home, { strategy: 'hybrid' });
        if (asked(pullShare)) {
          await this.#expectWalk('/v1/feeds/home', reader, home, { strategy: 'pull' });
        }
        if (asked(pushShare) && this.#pushIsComplete(reader)) {
          await this.#expectWalk('/v1/feeds/home', reader, home, { strategy: 'push' });
        }
        if (asked(profileShare)) {
          await this.#expectProfile(this.#name(this.#below(userCount)), reader);
        }
      }
    });
  }

  async #attempt(at: string, work: () => Promise<void>): Promise<void> {
    if (this.failure !== undefined) {
      return;
    }
    try {
      await work();
    } catch (error) {
      const { message } = error as Error;
      const readable = message.replace(activityIds, (id) => this.#labels.get(id) ?? id);
      this.failure = { message: readable, at };
    }
  }

  async #firstFollows(): Promise<void> {
    if (this.#history.follows.length > 0) {
      await this.#follow(this.#history.follows, 0);
    }
  }

  async #run(command: Command): Promise<void> {
    switch (command.kind) {
      case 'publish':
        return this.#publish(command);
      case 'retry':
        return this.#retry(command.back, command.altered, command.ingest);
      case 'delete': {
        const post = countBack(this.#posts, command.back);
        const caller = command.caller === undefined ? post?.actor : this.#name(command.caller);
        return post && caller !== undefined ? this.#delete(caller, post.id, command.ingest) : undefined;
      }
      case 'flip':
        return this.#flip(this.#name(command.user), this.#name(command.other), command.ingest);
      case 'gather':
      case 'leave':
        return this.#crowd(command.kind, command.author, command.stay, command.ingest);
      case 'expire':
        return this.#system.expire(this.#name(command.user), command.what);
      case 'read': {
        const { strategy, cold, limit, pages, meanwhile, feedApi } = command;
        const reader = this.#name(command.reader);
        if (cold) {
          await this.#system.expire(reader, 'inbox');
        }
        const walk = new Walk({ reader, strategy }, this.#expectations, (of) => this.#pushIsComplete(of));
        this.#walks.push(walk);
        const reading = walk.read(this.#system.feedApi(feedApi), limit, pages);
        return meanwhile ? this.#joinLater(reading) : reading;
      }
      case 'go on':
        return countBack(this.#walks, command.back)?.read(
          this.#system.feedApi(command.feedApi),
          command.limit,
          command.pages,
        );
      default:
        return this.#relate(command.kind, this.#name(command.user), this.#name(command.other), command.ingest);
    }
  }

  #joinLater(reading: Promise<void>): void {
    // What it throws is thrown once it is joined.
    reading.catch(() => undefined);
    this.#meanwhile.push(reading);
  }

  async #publish({ actor, count, agoMs, to, by, deletedFirst, ingest }: Publish): Promise<void> {
    const actorId = this.#name(actor);
    const timestamp = agoMs === undefined ? undefined : this.#beganAt - agoMs;
    const audience = to?.map((user) => this.#name(user));
    this.#publications += 1;
    const label = `${userLetter(actor)}${this.#publications}`;
    const name = `${this.#prefix}${label}`;
    const body = Array.from({ length: count }, (_, i) => ({
      actorId,
      verb: 'post',
      objectType: 'note',
      objectId: `${name}-${i}`,
      ...(audience === undefined ? {} : { to: audience }),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(by === 'foreign id' ? { foreignId: `${name}-${i}` } : {}),
    }));
    const options: RequestOptions = { body, ...(by === 'key' ? { headers: { 'idempotency-key': name } } : {}) };
    if (deletedFirst && timestamp !== undefined) {
      for (const { objectId } of body) {
        await this.#delete(actorId, foreignActivityId(actorId, objectId, timestamp), ingest);
      }
    }
    const sent: Sent = { options, actor: actorId, to: audience, redisLosses: 0, ids: [], by, label };
    await this.#send(sent, ingest);
    if (by !== 'nothing') {
      this.#sent.push(sent);
    }
  }

  async #retry(back: number, altered: boolean, ingest: number): Promise<void> {
    const sent = countBack(this.#sent, back);
    if (sent === undefined) {
      return;
    }
    if (altered && sent.by === 'foreign id') {
      // What was stored first counts, whatever its producer says of it later.
      const to = [this.#name(this.#below(userCount))];
      const body = (sent.options.body as object[]).map((item) => ({ ...item, to }));
      await this.#send({ ...sent, options: { body } }, ingest);
    } else {
      await this.#send(sent, ingest);
    }
  }

  /** Sends a publication, and once more the same where it was sent before. */
  async #send(sent: Sent, ingest: number): Promise<void> {
    const keyMayBeLost = sent.by === 'key' && this.#system.redisLosses !== sent.redisLosses;
    sent.redisLosses = this.#system.redisLosses;
    await this.#expectations.change(async () => {
      const { items } = await this.#system.write<{ items: { id: string }[] }>(
        ingest,
        'POST',
        '/v1/activities',
        sent.options,
      );
      const ids = items.map(({ id }) => id);
      if (sent.ids.length > 0 && !keyMayBeLost && ids.join() !== sent.ids.join()) {
        throw new Error(`a repetition of ${sent.ids.join(' ')} was answered with ${ids.join(' ')}`);
      }
      const posts = ids.map((id) => ({ id, actor: sent.actor, to: sent.to }));
      this.#posts.push(...posts.filter(({ id }) => !sent.ids.includes(id)));
      sent.ids = ids;
      for (const [i, id] of ids.entries()) {
        this.#labels.set(id, `${sent.label}.${i}`);
      }
      return posts.map((post): Fact => ({ kind: 'publish', post }));
    });
  }

  async #delete(caller: string, id: string, ingest: number): Promise<void> {
    await this.#expectations.change(async () => {
      await this.#system.write(ingest, 'DELETE', `/v1/activities/${id}`, { actAs: caller });
      return [{ kind: 'delete', caller, id }];
    });
  }

  async #relate(kind: Exclude<Fact['kind'], 'publish' | 'delete'>, user: string, other: string, ingest: number) {
    const method = kind.startsWith('un') ? 'DELETE' : 'PUT';
    const what = kind.replace(/^un/, '');
    await this.#expectations.change(async () => {
      await this.#system.write(ingest, method, `/v1/${what}s/${other}`, { actAs: user });
      return [{ kind, user, other }];
    });
  }

  async #flip(user: string, other: string, ingest: number): Promise<void> {
    await this.#relate('unfollow', user, other, ingest);
    await this.#relate('follow', user, other, 1 - ingest);
  }

  async #crowd(kind: 'gather' | 'leave', author: number, stay: number, ingest: number): Promise<void> {
    const others = users.filter((user) => user !== author).slice(stay);
    if (kind === 'gather') {
      await this.#follow(
        others.map((user) => ({ user, other: author })),
        ingest,
      );
      return;
    }
    for (const user of others) {
      await this.#relate('unfollow', this.#name(user), this.#name(author), ingest);
    }
  }

  async #follow(pairs: readonly { user: number; other: number }[], ingest: number): Promise<void> {
    const named = pairs.map(({ user, other }) => ({ user: this.#name(user), other: this.#name(other) }));
    await this.#expectations.change(async () => {
      const body = named.map(({ user, other }) => ({ followerId: user, followeeId: other }));
      await this.#system.write(ingest, 'POST', '/v1/follows', { body });
      return named.map((pair): Fact => ({ kind: 'follow', ...pair }));
    });
  }

  async #expectProfile(author: string, reader: string): Promise<void> {
    const profile = this.#expectations.model.profile(author, reader);
    // Nobody may have named an author yet who did nothing.
    if (profile.length > 0) {
      await this.#expectWalk(`/v1/users/${author}/feed`, reader, profile, {});
    }
  }

  async #expectWalk(path: string, reader: string, expected: readonly string[], query: Record<string, string>) {
    const limits = restLimits.filter((limit) => expected.length / limit <= pagesOfWalkMax);
    const limit = limits[this.#below(limits.length)] ?? 50;
    const items = await this.#system.feedApi(this.#below(2)).walk(path, reader, limit, query);
    const got = items.map(({ id }) => id);
    if (got.join() !== expected.join()) {
      const strategy = query['strategy'] ?? '';
      throw new Error(`${path} ${strategy} of ${reader}, ${limit} a page:\n${difference(expected, got)}`);
    }
  }

  /** No author that the reader follows was ever read from an outbox: the inbox has them all. */
  #pushIsComplete(reader: string): boolean {
    const { model } = this.#expectations;
    return users
      .map((user) => this.#name(user))
      .every(
        (author) =>
          !model.has('follow', reader, author) || model.followerCountMax(author) <= this.#system.followerThreshold,
      );
  }

  #name(user: number): string {
    return `${this.#prefix}${userLetter(user)}`;
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}

/** Counts from the last one back, and round again where there are fewer. */
function countBack<T>(items: readonly T[], back: number): T | undefined {
  return items.at(-1 - (back % Math.max(1, items.length)));
}

function difference(expected: readonly string[], got: readonly string[]): string {
  const missing = expected.filter((id) => !got.includes(id));
  const extra = got.filter((id) => !expected.includes(id));
  const lines = [`missing: ${missing.join(' ') || 'none'}`, `extra:   ${extra.join(' ') || 'none'}`];
  return [...lines, `expected ${expected.length}: ${expected.join(' ')}`, `got ${got.length}: ${got.join(' ')}`]
    .map((line) => `  ${line}`)
    .join('\n');
}
