import { userCount, userLetter } from './commands.js';
import type { FeedExpectations } from './feed-expectations.js';
import type { ModelSystem } from './model-system.js';

/** What the parts of one history's run share. */
export interface HistoryContext {
  system: ModelSystem;
  expectations: FeedExpectations;
  /** Sets its users apart from those of every other history. */
  prefix: string;
  /** In [0, 1), the same each time that the history is run. */
  random: () => number;
}

export const users = Array.from({ length: userCount }, (_, user) => user);

/** The id of a user of a history. */
export function userId({ prefix }: Pick<HistoryContext, 'prefix'>, user: number): string {
  return `${prefix}${userLetter(user)}`;
}

/** The note that every user has, for others to like: an object id. */
export function noteOf(ownerId: string): string {
  return `note-of-${ownerId}`;
}

export function randomBelow({ random }: Pick<HistoryContext, 'random'>, end: number): number {
  return Math.floor(random() * end);
}

/** Counts from the last one back, and round again where there are fewer. */
export function countBack<T>(items: readonly T[], back: number): T | undefined {
  return items.at(-1 - (back % Math.max(1, items.length)));
}

/**
 * Whether strategy=push has all of a reader's feed: no author that it follows was ever read from an outbox, so that
 * the inbox has them all.
 */
export function pushIsComplete(context: HistoryContext, reader: string): boolean {
  const { model } = context.expectations;
  return users
    .map((user) => userId(context, user))
    .every(
      (author) =>
        !model.has('follow', reader, author) || model.followerCountMax(author) <= context.system.followerThreshold,
    );
}
