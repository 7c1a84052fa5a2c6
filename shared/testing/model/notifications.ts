import type { FeedItem } from '@tideline/shared/activity';
import type { HttpClient, PageBody } from '../http-client.js';
import type { MarkNotifications, ReadNotifications } from './commands.js';
import { countBack, type HistoryContext, randomBelow, userId, users } from './history-context.js';
import { followName, type Mark, type Marked } from './reference-model.js';
import { WrongPage } from './walk.js';

interface Notification extends FeedItem {
  seen: boolean;
  read: boolean;
}

type NotificationPage = PageBody<Notification> & { unseen: number; unread: number };

const path = '/v1/feeds/notifications';
const limits = [1, 3, 7, 20, 50];
/** Long lists are not walked item by item. */
const pagesOfWalkMax = 6;
const feedApiCount = 2;
const markedPageSize = 20;
const counters = { seen: 'unseen', read: 'unread' } as const;
const marks: readonly Mark[] = ['seen', 'read'];

/** Holds every reader's notifications, marks and counts against the model, at rest. Throws what differs. */
export async function expectNotificationsAtRest(context: HistoryContext): Promise<void> {
  const { model } = context.expectations;
  for (const reader of users.map((user) => userId(context, user))) {
    const expected = model.notifications(reader);
    const fitting = limits.filter((each) => expected.length / each <= pagesOfWalkMax);
    const limit = fitting[randomBelow(context, fitting.length)] ?? Math.max(...limits);
    const feedApi = context.system.feedApi(randomBelow(context, feedApiCount));
    const first = await readPage(feedApi, reader, limit, undefined);
    const items = [...first.items];
    for (let cursor = first.nextCursor; cursor !== null && items.length <= expected.length; ) {
      const page = await readPage(feedApi, reader, limit, cursor);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    const what = `notifications of ${reader}, ${limit} a page`;
    expectInOrder(what, items);
    expectSame(what, expected.toSorted(), items.map(nameOf).toSorted());
    const isMarked = model.marksOf(reader);
    for (const as of marks) {
      const of = (which: readonly Notification[]) => which.map(({ id }) => id);
      expectSame(
        `${what}, ${as}`,
        of(items.filter(({ id }) => isMarked(as, id))),
        of(items.filter((item) => item[as])),
      );
      const left = items.filter(({ id }) => !isMarked(as, id)).length;
      expectThat(first[counters[as]] === left, `${what}: ${first[counters[as]]} ${counters[as]}, not ${left}`);
    }
  }
}

/** Reads pages from the top while the system is busy; each is held against the model as it is read. Throws `WrongPage`. */
export async function readNotifications(context: HistoryContext, command: ReadNotifications): Promise<void> {
  const { limit, pages } = command;
  const { expectations, system } = context;
  const reader = userId(context, command.reader);
  let above: Notification[] = [];
  for (let cursor: string | null | undefined, page = 0; page < pages && cursor !== null; page += 1) {
    const markedBefore = expectations.model.marksOf(reader);
    const { result, allowed, certain } = await expectations.during('notifications', reader, () =>
      readPage(system.feedApi(command.feedApi), reader, limit, cursor ?? undefined),
    );
    const markedAfter = expectations.model.marksOf(reader);
    const { items, nextCursor } = result;
    const what = `A page of notifications of ${reader}: ${items.map(({ id, actorId, verb }) => `${id} (${actorId} ${verb})`).join(' ')}`;
    expectInOrder(what, [...above.slice(-1), ...items]);
    expectThat(nextCursor === null || items.length === limit, `${what}: it is not full, and others follow`);
    const gone = items.map(nameOf).filter((name) => !allowed.has(name));
    expectThat(gone.length === 0, `${what}: it shows what it must not: ${gone.join(' ')}`);
    const missing = missingOf(certain, above.at(-1), items, nextCursor === null);
    expectThat(missing.length === 0, `${what}: it lacks ${missing.join(' ')}`);
    for (const as of marks) {
      const wrong = items.filter((item) => (item[as] ? !markedAfter(as, item.id) : markedBefore(as, item.id)));
      expectThat(
        wrong.length === 0,
        `${what}: of these it is wrong whether they are ${as}: ${wrong.map(({ id }) => id)}`,
      );
      // Of a follow the id is not known, nor so whether it is marked.
      const least = [...certain].filter((name) => !isFollow(name) && !markedAfter(as, name)).length;
      const most = [...allowed].filter((name) => isFollow(name) || !markedBefore(as, name)).length;
      const count = result[counters[as]];
      expectThat(count >= least && count <= most, `${what}: ${count} ${counters[as]}, not ${least} to ${most}`);
    }
    above = [...above, ...items];
    cursor = nextCursor;
  }
}

/** What must be on a page and is not. A follow, whose place is not known, must only be where all is on one page. */
function missingOf(
  certain: ReadonlySet<string>,
  last: Notification | undefined,
  items: readonly Notification[],
  isLast: boolean,
): string[] {
  const shown = new Set(items.map(nameOf));
  const to = isLast ? undefined : items.at(-1);
  return [...certain].filter((name) => {
    const isHere = isFollow(name)
      ? last === undefined && isLast
      : (last === undefined || name < last.id) && (to === undefined || name > to.id);
    return isHere && !shown.has(name);
  });
}

/** Marks what one page shows. */
export async function markNotifications(context: HistoryContext, command: MarkNotifications): Promise<void> {
  const { as, how, back } = command;
  const reader = userId(context, command.reader);
  const feedApi = context.system.feedApi(command.feedApi);
  const { items } = await readPage(feedApi, reader, markedPageSize, undefined);
  const [newest] = items;
  const one = countBack(items, back);
  if (newest === undefined || one === undefined) {
    return;
  }
  const marked: Marked = how === 'up to' ? { upTo: one.id } : { ids: [one.id, newest.id] };
  await context.expectations.change(async () => {
    await feedApi.succeed('POST', `${path}/${as}`, { actAs: reader, body: marked });
    return [{ kind: 'mark', user: reader, as, marked }];
  });
}

function readPage(
  feedApi: HttpClient,
  reader: string,
  limit: number,
  cursor: string | undefined,
): Promise<NotificationPage> {
  const query = new URLSearchParams({ limit: String(limit), ...(cursor === undefined ? {} : { cursor }) });
  return feedApi.succeed<NotificationPage>('GET', `${path}?${query}`, { actAs: reader });
}

function nameOf({ id, actorId, verb }: Notification): string {
  return verb === 'follow' ? followName(actorId) : id;
}

function isFollow(name: string): boolean {
  return name.startsWith(followName(''));
}

function expectInOrder(what: string, items: readonly Notification[]): void {
  const wrong = items.find(({ id }, i) => id >= (items[i - 1]?.id ?? '~'));
  expectThat(wrong === undefined, `${what}: ${wrong?.id} is repeated or out of order`);
}

function expectSame(what: string, expected: readonly string[], got: readonly string[]): void {
  expectThat(
    expected.join() === got.join(),
    `${what}:\n  expected ${expected.length}: ${expected.join(' ')}\n  got ${got.length}: ${got.join(' ')}`,
  );
}

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) {
    throw new WrongPage(otherwise);
  }
}
