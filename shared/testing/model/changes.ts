import type { Crowd } from './commands.js';
import { type HistoryContext, noteOf, userId, users } from './history-context.js';
import type { Change, Fact } from './reference-model.js';

/** Writes of a history other than publications: each is acknowledged, then the model knows it. */

export async function deletePost(context: HistoryContext, caller: string, id: string, ingest: number): Promise<void> {
  await context.expectations.change(async () => {
    await context.system.write(ingest, 'DELETE', `/v1/activities/${id}`, { actAs: caller });
    return [{ kind: 'delete', caller, id }];
  });
}

export async function relate(
  context: HistoryContext,
  kind: Change,
  user: number,
  other: number,
  ingest: number,
): Promise<void> {
  const [caller, otherId] = [userId(context, user), userId(context, other)];
  const method = kind.startsWith('un') ? 'DELETE' : 'PUT';
  const collection = `${kind.replace(/^un/, '')}s`;
  await context.expectations.change(async () => {
    await context.system.write(ingest, method, `/v1/${collection}/${otherId}`, { actAs: caller });
    return [{ kind, user: caller, other: otherId }];
  });
}

/** Unfollows, and follows again at once at the other ingest. */
export async function flip(context: HistoryContext, user: number, other: number, ingest: number): Promise<void> {
  await relate(context, 'unfollow', user, other, ingest);
  await relate(context, 'follow', user, other, 1 - ingest);
}

/** Has every user own a note. */
export async function describeNotes(context: HistoryContext): Promise<void> {
  for (const ownerId of users.map((user) => userId(context, user))) {
    const options = { actAs: ownerId, body: { title: 'A note' } };
    await context.system.write(0, 'PUT', `/v1/objects/note/${noteOf(ownerId)}`, options);
  }
}

export async function crowd(context: HistoryContext, { kind, author, stay, ingest }: Crowd): Promise<void> {
  const others = users.filter((user) => user !== author).slice(stay);
  if (kind === 'gather') {
    const pairs = others.map((user) => ({ user, other: author }));
    await follow(context, pairs, ingest);
    return;
  }
  for (const user of others) {
    await relate(context, 'unfollow', user, author, ingest);
  }
}

export async function follow(
  context: HistoryContext,
  pairs: readonly { user: number; other: number }[],
  ingest: number,
): Promise<void> {
  const body = pairs.map(({ user, other }) => ({
    followerId: userId(context, user),
    followeeId: userId(context, other),
  }));
  await context.expectations.change(async () => {
    await context.system.write(ingest, 'POST', '/v1/follows', { body });
    return body.map(({ followerId, followeeId }): Fact => ({ kind: 'follow', user: followerId, other: followeeId }));
  });
}
