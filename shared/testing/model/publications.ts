import { foreignActivityId } from '@tideline/shared/activity-id';
import type { RequestOptions } from '../http-client.js';
import { deletePost } from './changes.js';
import { type Publish, userLetter } from './commands.js';
import { countBack, type HistoryContext, noteOf, randomBelow, userId, users } from './history-context.js';
import type { Fact, Post } from './reference-model.js';

interface Sent {
  /** Of its posts, before their number. */
  label: string;
  options: RequestOptions;
  by: Publish['by'];
  actor: string;
  to: readonly string[] | undefined;
  ownerId: string | undefined;
  /** Redis had been lost so many times when it was sent: keys are forgotten with it. */
  redisLosses: number;
  /** What it was answered with; empty at first. */
  ids: readonly string[];
}

const activityIds = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What one history publishes, and publishes again. */
export class Publications {
  readonly #context: HistoryContext;
  /** Unix milliseconds that ages are counted from. */
  readonly #beganAt = Date.now();
  readonly #posts: Post[] = [];
  readonly #repeatable: Sent[] = [];
  /** What people call a post by its id: its actor, the number of the publication and its place in that. */
  readonly #labels = new Map<string, string>();
  #count = 0;

  constructor(context: HistoryContext) {
    this.#context = context;
  }

  post(back: number): Post | undefined {
    return countBack(this.#posts, back);
  }

  /** A text with ids, for people. */
  readable(text: string): string {
    return text.replace(activityIds, (id) => this.#labels.get(id) ?? id);
  }

  async publish({ actor, count, agoMs, to, likes, by, deletedFirst, ingest }: Publish): Promise<void> {
    const actorId = userId(this.#context, actor);
    this.#count += 1;
    const label = `${userLetter(actor)}${this.#count}`;
    const name = `${this.#context.prefix}${label}`;
    const timestamp = agoMs === undefined ? undefined : this.#beganAt - agoMs;
    const audience = to?.map((user) => userId(this.#context, user));
    const ownerId = likes === undefined ? undefined : userId(this.#context, likes);
    const names = Array.from({ length: count }, (_, i) => `${name}.${i}`);
    const body = names.map((each) => ({
      actorId,
      objectType: 'note',
      ...(ownerId === undefined ? { verb: 'post', objectId: each } : { verb: 'like', objectId: noteOf(ownerId) }),
      ...(audience === undefined ? {} : { to: audience }),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(by === 'foreign id' ? { foreignId: each } : {}),
    }));
    if (deletedFirst && timestamp !== undefined) {
      for (const foreignId of names) {
        await deletePost(this.#context, actorId, foreignActivityId(actorId, foreignId, timestamp), ingest);
      }
    }
    const options: RequestOptions = { body, ...(by === 'key' ? { headers: { 'idempotency-key': name } } : {}) };
    const sent: Sent = { label, options, by, actor: actorId, to: audience, ownerId, redisLosses: 0, ids: [] };
    await this.#send(sent, options, ingest);
    if (by !== 'nothing') {
      this.#repeatable.push(sent);
    }
  }

  /** `altered`: to others. With a foreign id what was stored first counts, whatever its producer says of it later. */
  async publishAgain(back: number, altered: boolean, ingest: number): Promise<void> {
    const sent = countBack(this.#repeatable, back);
    if (sent === undefined) {
      return;
    }
    const to = [userId(this.#context, randomBelow(this.#context, users.length))];
    const others = { body: (sent.options.body as object[]).map((item) => ({ ...item, to })) };
    await this.#send(sent, altered && sent.by === 'foreign id' ? others : sent.options, ingest);
  }

  /** Sends a publication, and expects the same ids where it was sent before. */
  async #send(sent: Sent, options: RequestOptions, ingest: number): Promise<void> {
    const { system, expectations } = this.#context;
    const lossesBefore = sent.redisLosses;
    sent.redisLosses = system.redisLosses;
    await expectations.change(async () => {
      const answer = await system.write<{ items: { id: string }[] }>(ingest, 'POST', '/v1/activities', options);
      const ids = answer.items.map(({ id }) => id);
      // Also where Redis is lost while the request is on its way.
      const keyMayBeLost = sent.by === 'key' && system.redisLosses !== lossesBefore;
      if (sent.ids.length > 0 && !keyMayBeLost && ids.join() !== sent.ids.join()) {
        throw new Error(`a repetition of ${sent.ids.join(' ')} was answered with ${ids.join(' ')}`);
      }
      const { actor, to, ownerId } = sent;
      const objects = sent.options.body as { objectId: string }[];
      const posts = ids.map((id, i) => ({ id, actor, to, ownerId, objectId: objects[i]?.objectId ?? '' }));
      this.#posts.push(...posts.filter(({ id }) => !sent.ids.includes(id)));
      sent.ids = ids;
      for (const [i, id] of ids.entries()) {
        this.#labels.set(id, `${sent.label}.${i}`);
      }
      return posts.map((post): Fact => ({ kind: 'publish', post }));
    });
  }
}
