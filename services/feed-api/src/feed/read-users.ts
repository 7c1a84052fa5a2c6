import { TidelineError } from '@tideline/shared/errors';
import type { UserName } from '@tideline/shared/user-names';
import { type FollowSide, followIds } from '../storage/follow-pages.js';
import { SqlScope } from '../storage/sql-scope.js';
import { type Profile, readProfile, userExists } from '../storage/user-store.js';
import type { FeedTools } from './feed-tools.js';
import { type Page, type PageEdge, type PageRequest, readPage } from './page.js';

export interface ListedUser extends UserName {
  id: string;
}

/** Throws `not_found` for a user that nobody named yet. */
export async function readUser(tools: FeedTools, userId: string, reader: string): Promise<Profile> {
  const profile = await readProfile(new SqlScope(tools), userId, reader);
  if (profile === undefined) {
    throw noSuchUser();
  }
  return profile;
}

/** A page of those who follow a user, or whom the user follows, as the reader may see it. Throws `not_found`. */
export async function readFollows(
  tools: FeedTools,
  side: FollowSide,
  userId: string,
  reader: string,
  request: PageRequest,
): Promise<Page<ListedUser>> {
  const { cursors, names } = tools;
  const sql = new SqlScope(tools);
  const read = (direction: 'older' | 'newer', edge: PageEdge | undefined, limit: number) => {
    const { position, inclusive = false } = edge ?? {};
    return followIds(sql, side, userId, reader, { direction, from: position?.toString(), inclusive, limit });
  };
  const page = await readPage(
    cursors,
    {
      binding: { feed: `${side}:${userId}`, reader },
      positionOf: (id: string) => Buffer.from(id),
      older: (edge, wanted) => read('older', edge, wanted),
      newer: (edge, wanted) => read('newer', edge, wanted),
    },
    request,
  );
  // Who follows or is followed exists.
  if (page.items.length === 0 && !(await userExists(sql, userId))) {
    throw noSuchUser();
  }
  const nameOf = await names.read(sql, page.items);
  return { ...page, items: page.items.map((id) => ({ id, ...(nameOf.get(id) ?? { name: id, avatar: null }) })) };
}

export function noSuchUser(): TidelineError {
  return new TidelineError('not_found', 'There is no such user.');
}
