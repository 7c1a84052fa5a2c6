import type { Activity, FeedItem } from '@tideline/shared/activity';
import type { FeedTools } from '../feed/feed-tools.js';
import { presentItems } from '../feed/present-items.js';
import { countNotifications, notificationItem } from '../feed/read-notifications.js';
import type { Register } from '../inbox/register-store.js';
import type { Tombstones } from '../inbox/tombstone-store.js';
import { readMarks } from '../storage/notification-marks.js';
import type { SqlScope } from '../storage/sql-scope.js';
import type { LiveStream, LiveTexts, StreamNews } from './live-stream.js';

/** What live activities are checked against, as pages are (I8). */
export interface LiveView {
  registers: ReadonlyMap<string, Register>;
  tombstones: Tombstones;
}

/** Registers of these readers, and tombstones, with every correction that was acknowledged before. */
export async function confirmView(tools: FeedTools, sql: SqlScope, readers: readonly string[]): Promise<LiveView> {
  const refresh = tools.tombstones.refresh();
  const [buried, ...heads] = await tools.cache.run([
    refresh.call,
    ...readers.map((reader) => tools.registers.headCall(reader)),
  ]);
  const tombstones = await refresh.confirm(sql, buried);
  const registers = await Promise.all(
    readers.map(async (reader, i) => [reader, await tools.registers.confirm(sql, reader, heads[i] as Buffer)] as const),
  );
  return { registers: new Map(registers), tombstones };
}

/**
 * Of the activities that are new to each stream those that its reader may see, as texts of feed items by id. Each is read
 * and written once, however many streams it goes to.
 */
export async function presentLive(
  tools: FeedTools,
  sql: SqlScope,
  news: ReadonlyMap<LiveStream, StreamNews>,
  tombstones: Tombstones,
): Promise<Map<LiveStream, LiveTexts>> {
  const ids = new Map(
    Array.from(news, ([stream, { own, pulled }]) => [stream, stream.activityIds([...own, ...pulled])]),
  );
  const bodies = await tools.bodies.read(sql, [...new Set([...ids.values()].flat())]);
  const activities = new Map(
    bodies.filter((activity) => !tombstones.cover(activity)).map((activity) => [activity.id, activity]),
  );
  const visible = new Map<LiveStream, Activity[]>();
  for (const [stream, { register }] of news) {
    const found = (ids.get(stream) ?? []).flatMap((id) => activities.get(id) ?? []);
    visible.set(
      stream,
      found.filter((activity) => stream.feed.shows(activity, register)),
    );
  }
  const distinct = [...new Set([...visible.values()].flat())];
  const items = await presentItems(tools, sql, distinct);
  const itemOf = new Map(items.map((item) => [item.id, item]));
  const textOf = new Map(items.map((item) => [item.id, JSON.stringify(item)]));
  const texts = Array.from(visible, async ([stream, shown]) => {
    const told =
      stream.feed.kind === 'notifications' && news.get(stream)?.own.length !== 0
        ? await notificationTexts(
            tools,
            sql,
            stream.reader,
            shown.map(({ id }) => itemOf.get(id) as FeedItem),
          )
        : { activities: new Map(shown.map(({ id }) => [id, textOf.get(id) as string])) };
    return [stream, told] as const;
  });
  return new Map(await Promise.all(texts));
}

/** Notifications, each as a page has it, with how many are left once all of these are told. */
async function notificationTexts(
  tools: FeedTools,
  sql: SqlScope,
  reader: string,
  items: readonly FeedItem[],
): Promise<LiveTexts> {
  const ids = items.map(({ id }) => id);
  const [counts, marks] = await Promise.all([countNotifications(tools, sql, reader), readMarks(sql, reader, ids)]);
  const texts = items.map(
    (item) => [item.id, JSON.stringify({ ...notificationItem(item, marks), ...counts })] as const,
  );
  return { activities: new Map(texts), counts };
}
