import { randomNumbers } from '../history.js';
import { crowd, deletePost, describeNotes, flip, follow, relate } from './changes.js';
import {
  type Command,
  type Delete,
  describeCommand,
  type Read,
  type ReadNotifications,
  type Storm,
  type Strategy,
} from './commands.js';
import { FeedExpectations } from './feed-expectations.js';
import { expectGroupsAtRest } from './groups.js';
import type { History } from './histories.js';
import { countBack, type HistoryContext, pushIsComplete, userId, users } from './history-context.js';
import { LiveView } from './live-view.js';
import type { ModelSystem } from './model-system.js';
import { expectNotificationsAtRest, markNotifications, readNotifications } from './notifications.js';
import { Publications } from './publications.js';
import { expectFeedsAtRest } from './resting-feeds.js';
import { Walk } from './walk.js';

const limitInStorm = 10;
/** Whose home feed is listened to, one at each feed-api. */
const viewedBy = [0, 1];

/** One history on the running system: does what its commands say, keeps the model, and compares. */
export class HistoryRun {
  readonly #history: History;
  readonly #context: HistoryContext;
  readonly #publications: Publications;
  readonly #walks: Walk[] = [];
  readonly #meanwhile: Promise<void>[] = [];
  readonly #views: LiveView[];
  /** Why it failed, and where it was then. */
  failure: { message: string; at: string } | undefined;

  /** `seed` decides about what is left open by its commands. */
  constructor(system: ModelSystem, history: History, prefix: string, seed: number) {
    this.#history = history;
    const expectations = new FeedExpectations(users.map((user) => userId({ prefix }, user)));
    this.#context = { system, expectations, prefix, random: randomNumbers(seed) };
    this.#publications = new Publications(this.#context);
    this.#views = viewedBy.map((user, i) => new LiveView(this.#context, userId({ prefix }, user), i));
  }

  /** Does the commands of a phase; `onCommand` is called before each. */
  async runPhase(phase: number, onCommand: () => void): Promise<void> {
    const { follows, phases } = this.#history;
    if (phase === 0) {
      await this.#attempt('opening streams', async () => {
        await Promise.all(this.#views.map((view) => view.open()));
      });
      await this.#attempt('the notes to like', () => describeNotes(this.#context));
    }
    if (phase === 0 && follows.length > 0) {
      await this.#attempt('the first follows', () => follow(this.#context, follows, 0));
    }
    for (const [i, command] of (phases[phase] ?? []).entries()) {
      onCommand();
      await this.#attempt(`phase ${phase}, command ${i}: ${describeCommand(command)}`, () => this.#run(command));
    }
    await this.#attempt(`phase ${phase}, what was read meanwhile`, async () => {
      await Promise.all(this.#meanwhile.splice(0));
    });
  }

  /** Compares all feeds with the model, while the system is at rest; in every way that there is where `all` is true. */
  async checkAtRest(when: string, all: boolean): Promise<void> {
    await this.#attempt(when, () => expectFeedsAtRest(this.#context, all));
    await this.#attempt(`${when}, notifications`, () => expectNotificationsAtRest(this.#context));
    await this.#attempt(`${when}, groups`, () => expectGroupsAtRest(this.#context, all));
    for (const view of this.#views) {
      await this.#attempt(when, () => view.expectAtRest());
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#views.map((view) => this.#attempt('closing streams', () => view.close())));
  }

  /** After a failure nothing is done any more. */
  async #attempt(at: string, work: () => Promise<void>): Promise<void> {
    if (this.failure !== undefined) {
      return;
    }
    try {
      await work();
    } catch (error) {
      this.failure = { message: this.#publications.readable((error as Error).message), at };
    }
  }

  async #run(command: Command): Promise<void> {
    const context = this.#context;
    switch (command.kind) {
      case 'publish':
        return this.#publications.publish(command);
      case 'retry':
        return this.#publications.publishAgain(command.back, command.altered, command.ingest);
      case 'delete':
        return this.#delete(command);
      case 'flip':
        return flip(context, command.user, command.other, command.ingest);
      case 'storm':
        return this.#storm(command);
      case 'gather':
      case 'leave':
        return crowd(context, command);
      case 'expire':
        return context.system.expire(userId(context, command.user), command.what);
      case 'read':
        return this.#read(command);
      case 'cut':
        this.#views[command.view]?.cut();
        return;
      case 'notifications':
        return this.#readNotifications(command);
      case 'mark':
        return markNotifications(context, command);
      case 'go on': {
        const { back, limit, pages, feedApi } = command;
        return countBack(this.#walks, back)?.read(context.system.feedApi(feedApi), limit, pages);
      }
      default:
        return relate(context, command.kind, command.user, command.other, command.ingest);
    }
  }

  async #delete({ back, caller, ingest }: Delete): Promise<void> {
    const post = this.#publications.post(back);
    if (post !== undefined) {
      const callerId = caller === undefined ? post.actor : userId(this.#context, caller);
      await deletePost(this.#context, callerId, post.id, ingest);
    }
  }

  async #read({ reader, strategy, limit, pages, cold, meanwhile, feedApi }: Read): Promise<void> {
    const { system } = this.#context;
    const readerId = userId(this.#context, reader);
    if (cold) {
      await system.expire(readerId, 'inbox');
    }
    const walk = this.#walk(readerId, strategy);
    this.#walks.push(walk);
    await this.#maybeMeanwhile(walk.read(system.feedApi(feedApi), limit, pages), meanwhile);
  }

  async #readNotifications(command: ReadNotifications): Promise<void> {
    if (command.cold) {
      await this.#context.system.expire(userId(this.#context, command.reader), 'notifications');
    }
    await this.#maybeMeanwhile(readNotifications(this.#context, command), command.meanwhile);
  }

  async #maybeMeanwhile(reading: Promise<void>, meanwhile: boolean): Promise<void> {
    if (!meanwhile) {
      await reading;
      return;
    }
    // What it throws is thrown at the end of the phase.
    reading.catch(() => undefined);
    this.#meanwhile.push(reading);
  }

  async #storm({ reader, other, flips, ingest, feedApi }: Storm): Promise<void> {
    const { system } = this.#context;
    const readerId = userId(this.#context, reader);
    const calm = new AbortController();
    const reading = (async () => {
      while (!calm.signal.aborted) {
        await system.expire(readerId, 'inbox');
        await this.#walk(readerId, 'hybrid').read(system.feedApi(feedApi), limitInStorm, 1);
      }
    })();
    // What it throws is thrown once the storm is over.
    reading.catch(() => undefined);
    try {
      for (let time = 0; time < flips; time += 1) {
        await flip(this.#context, reader, other, ingest);
      }
    } finally {
      calm.abort();
      await reading;
    }
  }

  #walk(reader: string, strategy: Strategy): Walk {
    return new Walk({ reader, strategy }, this.#context.expectations, (of) => pushIsComplete(this.#context, of));
  }
}
