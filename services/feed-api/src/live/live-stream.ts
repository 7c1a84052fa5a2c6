import { bucketOf } from '@tideline/shared/feed-keys';
import type { LiveRecord } from '@tideline/shared/live-records';
import { type Feed, homeFeed, notificationsFeed } from '../feed/feed.js';
import type { Register } from '../inbox/register-store.js';
import type { NotificationCounts } from '../storage/notification-marks.js';
import type { LiveClient, LiveEvent, LiveFeed } from './live-client.js';
import type { LiveEntry, LivePlace } from './live-log.js';
import { comparePoints, formatPosition, type LivePosition, type LogPoint } from './live-position.js';

/** What a log has after one of its entries. */
export interface LogPart {
  after: string;
  entries: readonly LiveEntry[];
}

/** A record that concerns a stream, and the point behind it. */
export interface News {
  record: LiveRecord;
  point: LogPoint;
}

/** What is new to a stream in the two logs that it follows. */
export interface StreamNews {
  own: News[];
  pulled: News[];
  /** Its reader's, as it is at the end of these logs. */
  register: Register;
}

/** What records mean to each feed. */
const meanings = {
  home: { added: 'home_added', removed: 'home_removed', changed: 'home_changed' },
  notifications: {
    added: 'notifications_added',
    removed: 'notifications_removed',
    changed: 'notifications_changed',
  },
} as const;

/** One open stream: whose, how far it is, and how it tells what is new. */
export class LiveStream {
  readonly reader: string;
  readonly bucket: number;
  readonly feed: Feed;
  position: LivePosition;
  /** What its client's pages were checked against: where less or more is hidden since, it has to read again. */
  register: Register;
  readonly #meaning: (typeof meanings)[LiveFeed];
  readonly #client: LiveClient;
  readonly #registerIsOf: LogPoint;
  #ended = false;

  /** `register` was read before its reader's log had come to `asOf`. */
  constructor(
    reader: string,
    feed: LiveFeed,
    client: LiveClient,
    { register, asOf }: { register: Register; asOf: LogPoint },
    position: LivePosition,
  ) {
    this.reader = reader;
    this.bucket = bucketOf(reader);
    this.feed = liveFeed(feed, reader);
    this.#meaning = meanings[feed];
    this.#client = client;
    this.register = register;
    this.#registerIsOf = asOf;
    this.position = position;
  }

  end(): void {
    this.#ended = true;
  }

  /** Whether anything in this log can concern it. */
  follows(place: LivePlace): boolean {
    return place === 'pulled' ? this.feed.merges : place === this.bucket;
  }

  /** How far it has read a log that it follows. */
  pointIn(place: LivePlace): LogPoint {
    return place === 'pulled' ? this.position.pulled : this.position.own;
  }

  /** What concerns it in its reader's log. */
  ownNews(part: LogPart | undefined): News[] {
    // Before a watch began nothing was recorded for the reader: that is a reason to read again, as others are.
    const kinds: string[] = [...Object.values(this.#meaning), 'watch_began', 'register_changed'];
    const news = unread(part, this.position.own, ({ userId, kind }) => userId === this.reader && kinds.includes(kind));
    // What a later change hides is seen by comparing registers. What an earlier one did is not, while nobody listened.
    return news.filter(
      ({ record, point }) => record.kind !== 'register_changed' || comparePoints(point, this.#registerIsOf) <= 0,
    );
  }

  /** What concerns it of what authors did who are merged at read. */
  pulledNews(part: LogPart | undefined, { merged: authors }: Register): News[] {
    const merged = this.feed.merges ? authors : [];
    return merged.length === 0
      ? []
      : unread(part, this.position.pulled, ({ userId }) => merged.some(({ authorId }) => authorId === userId));
  }

  /** The activities among news. */
  activityIds(news: readonly News[]): string[] {
    return news.flatMap(({ record: { kind, activityId } }) =>
      kind === this.#meaning.added && activityId !== undefined ? activityId : [],
    );
  }

  /**
   * Tells what is new in the order of the logs, of activities those that `activities` has, and moves to where the logs were
   * read to.
   */
  handOut({ own, pulled, register }: StreamNews, { activities, counts }: LiveTexts, readTo: ReadTo): void {
    let resynced = false;
    const tell = ({ kind, activityId: id = '' }: LiveRecord): void => {
      const { added, removed } = this.#meaning;
      const text = activities.get(id);
      if (kind === added && text !== undefined) {
        this.#send('activity', text);
        resynced = false;
      } else if (kind === removed) {
        this.#send('delete', JSON.stringify({ id, ...counts }));
        resynced = false;
      } else if (kind !== added && !resynced) {
        this.resync();
        resynced = true;
      }
    };
    for (const { record, point } of own) {
      this.position = { ...this.position, own: point };
      tell(record);
    }
    this.position = { ...this.position, own: later(this.position.own, endOf(readTo.own)) };
    for (const { record, point } of pulled) {
      this.position = { ...this.position, pulled: point };
      tell(record);
    }
    this.position = { ...this.position, pulled: later(this.position.pulled, endOf(readTo.pulled)) };
    this.#client.moved(formatPosition(this.position));
    if (hidesOtherwise(this.register, register) && !resynced) {
      this.resync();
    }
    this.register = register;
  }

  /** Goes on from there, and has the client read its pages again. `register` was read after the logs had come there. */
  beginAnew(position: LivePosition, register: Register): void {
    this.position = position;
    this.register = register;
    this.resync();
  }

  /** Has the client read its pages again. */
  resync(): void {
    this.#send('resync', '{}');
  }

  #send(event: LiveEvent['event'], data: string): void {
    if (!this.#ended) {
      this.#client.send({ id: formatPosition(this.position), event, data });
    }
  }
}

/** What is told of news. */
export interface LiveTexts {
  /** By id: the data of those activities that are shown. */
  activities: ReadonlyMap<string, string>;
  /** Of notifications, how many are left. */
  counts?: NotificationCounts;
}

/** What a stream is of. */
export function liveFeed(name: LiveFeed, reader: string): Feed {
  return name === 'home' ? homeFeed(reader, true) : notificationsFeed(reader);
}

/** How far each log was read, where it was. */
export interface ReadTo {
  own: LogPart | undefined;
  pulled: LogPart | undefined;
}

function endOf(part: LogPart | undefined): LogPoint | undefined {
  const last = part?.entries.at(-1);
  return last && { entry: last.id, records: 0 };
}

function later(a: LogPoint, b: LogPoint | undefined): LogPoint {
  return b !== undefined && comparePoints(b, a) > 0 ? b : a;
}

/** The records behind a point that matter. */
function unread(part: LogPart | undefined, from: LogPoint, matters: (record: LiveRecord) => boolean): News[] {
  const news: News[] = [];
  let entry = part?.after ?? '';
  for (const { id, records } of part?.entries ?? []) {
    for (const [index, record] of records.entries()) {
      const point = { entry, records: index + 1 };
      if (matters(record) && comparePoints(point, from) > 0) {
        news.push({ record, point });
      }
    }
    entry = id;
  }
  return news;
}

function hidesOtherwise(before: Register, after: Register): boolean {
  // Mostly nothing changed, and this is asked of every stream in every turn.
  const isSame = before === after;
  return !isSame && !(sameUsers(before.hidden, after.hidden) && sameUsers(before.unfollowed, after.unfollowed));
}

function sameUsers(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((userId) => b.has(userId));
}
