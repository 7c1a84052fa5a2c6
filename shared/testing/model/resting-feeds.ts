import type { HttpClient, PageBody } from '../http-client.js';
import { type HistoryContext, pushIsComplete, randomBelow, userId, users } from './history-context.js';

const limits = [1, 2, 3, 5, 7, 10, 20, 50];
const feedApiCount = 2;
/** Long feeds are not walked item by item: that would be most of the work. */
const pagesOfWalkMax = 8;
const pagesTooManyMax = 2;
/** How many of the walks besides the hybrid ones are made, unless all are asked for. */
const otherStrategyShare = 0.34;
const profileShare = 0.25;

/**
 * Holds every reader's feeds against the model, from their first to their last item; to be called while the system is
 * at rest. All strategies are compared with one model: unless `all` are asked for, hybrid is each time and the others in
 * turn. Throws what differs.
 */
export async function expectFeedsAtRest(context: HistoryContext, all: boolean): Promise<void> {
  const { expectations, random } = context;
  const asked = (share: number) => all || random() < share;
  expectations.atRest();
  for (const reader of users.map((user) => userId(context, user))) {
    const home = expectations.model.home(reader);
    await expectWalk(context, '/v1/feeds/home', reader, home, { strategy: 'hybrid' });
    if (asked(otherStrategyShare)) {
      await expectWalk(context, '/v1/feeds/home', reader, home, { strategy: 'pull' });
    }
    if (asked(otherStrategyShare) && pushIsComplete(context, reader)) {
      await expectWalk(context, '/v1/feeds/home', reader, home, { strategy: 'push' });
    }
    if (asked(profileShare)) {
      await expectProfile(context, userId(context, randomBelow(context, users.length)), reader);
    }
  }
}

async function expectProfile(context: HistoryContext, author: string, reader: string): Promise<void> {
  const profile = context.expectations.model.profile(author, reader);
  // Nobody may have named an author yet who did nothing.
  if (profile.length > 0) {
    await expectWalk(context, `/v1/users/${author}/feed`, reader, profile, {});
  }
}

async function expectWalk(
  context: HistoryContext,
  path: string,
  reader: string,
  expected: readonly string[],
  query: Record<string, string>,
): Promise<void> {
  const fitting = limits.filter((each) => expected.length / each <= pagesOfWalkMax);
  const limit = fitting[randomBelow(context, fitting.length)] ?? Math.max(...limits);
  const feedApi = context.system.feedApi(randomBelow(context, feedApiCount));
  const got = await walk(feedApi, path, reader, { ...query, limit: String(limit) }, expected.length);
  if (got.join() !== expected.join()) {
    const strategy = query['strategy'] ?? '';
    throw new Error(`${path} ${strategy} of ${reader}, ${limit} a page:\n${difference(expected, got)}`);
  }
}

/** The ids of a feed. A walk that does not end is left where it has far more than it should. */
async function walk(
  feedApi: HttpClient,
  path: string,
  reader: string,
  query: Record<string, string>,
  expectedCount: number,
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  // Each page but the last has an item at least.
  for (let page = 0; page <= expectedCount + pagesTooManyMax; page += 1) {
    const parameters = new URLSearchParams({ ...query, ...(cursor === null ? {} : { cursor }) });
    const options = { actAs: reader, headers: { 'cache-control': 'no-cache' } };
    const body: PageBody = await feedApi.succeed<PageBody>('GET', `${path}?${parameters}`, options);
    ids.push(...body.items.map(({ id }) => id));
    cursor = body.nextCursor;
    if (cursor === null) {
      return ids;
    }
  }
  throw new Error(`${path} of ${reader} does not end: ${ids.join(' ')}`);
}

function difference(expected: readonly string[], got: readonly string[]): string {
  const missing = expected.filter((id) => !got.includes(id));
  const extra = got.filter((id) => !expected.includes(id));
  return [
    `  missing: ${missing.join(' ') || 'none'}`,
    `  extra:   ${extra.join(' ') || 'none'}`,
    `  expected ${expected.length}: ${expected.join(' ')}`,
    `  got ${got.length}: ${got.join(' ')}`,
  ].join('\n');
}
