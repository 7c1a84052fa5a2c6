import { setTimeout as delay } from 'node:timers/promises';
import { highestActivityId } from '@tideline/shared/activity-id';
import { isTidelineError, unavailable } from '@tideline/shared/errors';
import { bucketOf } from '@tideline/shared/feed-keys';
import type { ListKind, ListName } from '@tideline/shared/feed-lists';
import type { LiveRecordKind } from '@tideline/shared/live-records';
import type { Logger } from '@tideline/shared/logger';
import type { FeedTools } from '../feed/feed-tools.js';
import { decodeListSlice, readListCall } from '../inbox/list-reader.js';
import type { Register } from '../inbox/register-store.js';
import { SqlScope } from '../storage/sql-scope.js';
import type { LiveClient, LiveFeed, LiveHub, LiveSubscription } from './live-client.js';
import { decodeLiveSlice, decodePosition, type LiveLog, type LivePlace } from './live-log.js';
import { comparePoints, formatPosition, type LivePosition, type LogPoint, parsePosition } from './live-position.js';
import { LiveStream, type LogPart, liveFeed, type StreamNews } from './live-stream.js';
import { confirmView, presentLive } from './present-live.js';

export interface LiveHubOptions {
  tools: FeedTools;
  log: LiveLog;
  logger: Logger;
}

const entriesPerReadMax = 500;
const retryDelayFirstMs = 20;
const retryDelayMaxMs = 1_000;
/** Leases of watched readers last several times as long. */
const renewIntervalMs = 60_000;
/** Records of these kinds are told, or felt, by what a register says: activities of both feeds, and its own changes. */
const needsRegister: ReadonlySet<LiveRecordKind> = new Set(['home_added', 'notifications_added', 'register_changed']);

/**
 * All streams of a process. A wake-up says that something was appended to a log: that of a bucket, or the one of the
 * authors who are merged at read. Then the hub takes a turn: what is new is read once for all streams, held against
 * registers and tombstones as a page is, and handed out.
 *
 *   wake-up ──► turn: read logs ──► confirm registers ──► bodies, names ──► hand out and move on
 *
 * A turn hands out at its end, without a pause, so one that fails has done nothing and is repeated. What cannot be told
 * item by item is told as a resync: the client reads its pages again.
 */
export class ProcessLiveHub implements LiveHub {
  readonly #options: LiveHubOptions;
  readonly #streams = new Map<string, Set<LiveStream>>();
  readonly #woken = new Set<LivePlace>();
  #turning: Promise<void> | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveHubOptions) {
    this.#options = options;
  }

  start(): void {
    this.#renewing = setInterval(() => void this.#renew(), renewIntervalMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#renewing);
    this.#woken.clear();
    await this.#turning;
  }

  /**
   * Opens a stream that goes on behind `lastEventId`, or begins now. From here on the reader's list is kept, and each
   * delivery to it reaches `client` once. Throws `unavailable` or `cache_refused` where Redis cannot be used.
   */
  async open(
    reader: string,
    feed: LiveFeed,
    lastEventId: string | undefined,
    client: LiveClient,
  ): Promise<LiveSubscription> {
    const { tools } = this.#options;
    const asked = lastEventId === undefined ? undefined : parsePosition(lastEventId);
    // From here on what is delivered is recorded. Once the list is there it is recorded one by one.
    await this.#positionsNow([reader]);
    for (const list of await this.#missing([liveFeed(feed, reader).list])) {
      await tools.rebuilder.build(list);
    }
    const resumed = asked !== undefined && (await this.#leadsOn(reader, asked)) ? asked : undefined;
    const { registers } = await confirmView(tools, new SqlScope(tools.database), [reader]);
    const now = await this.#positionNow(reader);
    if (this.#closed) {
      throw unavailable('This process is stopping');
    }
    const known = { register: registers.get(reader) as Register, asOf: now.own };
    const stream = new LiveStream(reader, feed, client, known, resumed ?? now);
    this.#streams.set(reader, (this.#streams.get(reader) ?? new Set()).add(stream));
    if (lastEventId !== undefined && resumed === undefined) {
      stream.resync();
    }
    this.wake(stream.bucket);
    this.wake('pulled');
    return { position: formatPosition(stream.position), close: () => this.#leave(stream) };
  }

  /** Something was recorded there. */
  wake(place: LivePlace): void {
    if (this.#closed || this.#streams.size === 0) {
      return;
    }
    this.#woken.add(place);
    this.#turning ??= this.#takeTurns();
  }

  /** Something may have been recorded that nobody was told of. */
  wakeAll(): void {
    for (const reader of this.#streams.keys()) {
      this.wake(bucketOf(reader));
    }
    this.wake('pulled');
  }

  /** A list is gone: what is delivered to its reader before it is built again is recorded nowhere. */
  listLost(reader: string, kind: ListKind): void {
    for (const stream of this.#streams.get(reader) ?? []) {
      if (stream.feed.list.kind === kind) {
        this.#options.tools.rebuilder.request(stream.feed.list);
        stream.resync();
      }
    }
  }

  #leave(stream: LiveStream): void {
    const streams = this.#streams.get(stream.reader);
    stream.end();
    streams?.delete(stream);
    if (streams?.size === 0) {
      this.#streams.delete(stream.reader);
    }
  }

  #all(): LiveStream[] {
    return [...this.#streams.values()].flatMap((streams) => [...streams]);
  }

  async #takeTurns(): Promise<void> {
    let delayMs = retryDelayFirstMs;
    while (this.#woken.size > 0) {
      const places = [...this.#woken];
      this.#woken.clear();
      try {
        await this.#turn(places);
        delayMs = retryDelayFirstMs;
      } catch (error) {
        this.#logFailure(error, delayMs);
        await delay(delayMs);
        delayMs = Math.min(delayMs * 2, retryDelayMaxMs);
        for (const place of this.#closed ? [] : places) {
          this.#woken.add(place);
        }
      }
    }
    this.#turning = undefined;
  }

  #logFailure(error: unknown, delayMs: number): void {
    const { logger } = this.#options;
    if (isTidelineError(error, 'unavailable') || isTidelineError(error, 'cache_refused')) {
      logger.warn({ err: error.message, delayMs }, 'live events wait for what they need');
    } else {
      logger.error({ err: error, delayMs }, 'live events cannot be handed out');
    }
  }

  async #turn(places: readonly LivePlace[]): Promise<void> {
    const { tools } = this.#options;
    await this.#leaveOldEpoch(tools.cache.keys.epoch);
    const streams = this.#all().filter((stream) => places.some((place) => stream.follows(place)));
    const parts = await this.#readLog(places, streams);
    const sql = new SqlScope(tools.database);

    const view = await confirmView(tools, sql, this.#readersToConfirm(parts));
    const news = new Map<LiveStream, StreamNews>();
    for (const stream of streams) {
      const own = stream.ownNews(parts.get(stream.bucket));
      const pulled = stream.pulledNews(parts.get('pulled'), view.registers.get(stream.reader));
      news.set(stream, { own, pulled });
    }
    const texts = await presentLive(tools, sql, news, view);

    for (const [stream, all] of news) {
      const readTo = { own: parts.get(stream.bucket), pulled: parts.get('pulled') };
      stream.handOut(all, texts.get(stream) ?? { activities: new Map() }, readTo, view.registers.get(stream.reader));
    }
  }

  /** Those with an activity to be checked, whose register was dropped, or who merge an author that did something. */
  #readersToConfirm(parts: ReadonlyMap<LivePlace, LogPart>): string[] {
    const readers = new Set<string>();
    const authors = new Set<string>();
    for (const [place, { entries }] of parts) {
      for (const { kind, userId } of entries.flatMap(({ records }) => records)) {
        if (place === 'pulled') {
          authors.add(userId);
        } else if (this.#streams.has(userId) && needsRegister.has(kind)) {
          readers.add(userId);
        }
      }
    }
    return [...new Set([...readers, ...this.#readersMerging(authors)])];
  }

  #readersMerging(authors: ReadonlySet<string>): string[] {
    return authors.size === 0
      ? []
      : this.#all()
          .filter(({ register }) => register.merged.some(({ authorId }) => authors.has(authorId)))
          .map(({ reader }) => reader);
  }

  /** What was recorded in these places, from where the first of the streams is. Streams that cannot go on begin anew. */
  async #readLog(places: readonly LivePlace[], streams: readonly LiveStream[]): Promise<Map<LivePlace, LogPart>> {
    const { tools, log } = this.#options;
    const starts = new Map<LivePlace, LogPoint>();
    for (const place of places) {
      for (const stream of streams.filter((each) => each.follows(place))) {
        const point = stream.pointIn(place);
        const earliest = starts.get(place);
        if (earliest === undefined || comparePoints(point, earliest) < 0) {
          starts.set(place, point);
        }
      }
    }
    // What decides who merges an author was recorded before what the author then did: so it is read after it.
    const inOrder = [...starts].sort(([a], [b]) => Number(b === 'pulled') - Number(a === 'pulled'));
    const answers = await tools.cache.run(
      inOrder.map(([place, { entry }]) => log.readCall(place, entry, entriesPerReadMax)),
    );
    const read = new Map<LivePlace, LogPart>();
    for (const [i, [place, { entry }]] of inOrder.entries()) {
      const { complete, entries } = decodeLiveSlice(answers[i]);
      if (!complete) {
        await this.#beginAnew(
          streams.filter((stream) => stream.follows(place) && stream.pointIn(place).entry === entry),
        );
      }
      read.set(place, { after: entry, entries });
      if (!complete || entries.length === entriesPerReadMax) {
        this.#woken.add(place);
      }
    }
    if ([...read].some(([place]) => place !== 'pulled' && this.#woken.has(place)) && read.delete('pulled')) {
      this.#woken.add('pulled');
    }
    return read;
  }

  /** Nothing that the last epoch recorded is left, and no list. */
  async #leaveOldEpoch(epoch: string): Promise<void> {
    await this.#beginAnew(this.#all().filter(({ position }) => position.epoch !== epoch));
  }

  /** Has streams go on from now, and their clients read again. */
  async #beginAnew(streams: readonly LiveStream[]): Promise<void> {
    const positions = await this.#positionsNow([...new Set(streams.map(({ reader }) => reader))]);
    for (const stream of streams) {
      stream.position = positions.get(stream.reader) ?? stream.position;
      stream.resync();
    }
    await this.#buildMissing(streams);
  }

  /** Has the lists built that are missing. Returns the streams whose lists they are. */
  async #buildMissing(streams: readonly LiveStream[]): Promise<LiveStream[]> {
    const missing = new Set(await this.#missing(streams.map(({ feed }) => feed.list)));
    for (const list of missing) {
      this.#options.tools.rebuilder.request(list);
    }
    return streams.filter(({ feed }) => missing.has(feed.list));
  }

  /** Those of the lists that are not there, nor being built. The others stay for as long as if they had been read. */
  async #missing(lists: readonly ListName[]): Promise<ListName[]> {
    const { cache } = this.#options.tools;
    const slices = await cache.run(lists.map((list) => readListCall(cache, list, highestActivityId, 0)));
    return lists.filter((_, i) => decodeListSlice(slices[i], 0).state === 'missing');
  }

  async #positionNow(reader: string): Promise<LivePosition> {
    const positions = await this.#positionsNow([reader]);
    return positions.get(reader) as LivePosition;
  }

  /** Has what is delivered to these readers recorded from now on, and says where that begins. */
  async #positionsNow(readers: readonly string[]): Promise<Map<string, LivePosition>> {
    if (readers.length === 0) {
      return new Map();
    }
    const { tools, log } = this.#options;
    const { epoch } = tools.cache.keys;
    const [pulledEnd, ...ends] = await tools.cache.run([
      log.lastPulledCall(),
      ...readers.map((reader) => log.watchCall(reader)),
    ]);
    const endAt = (answer: unknown) => ({ entry: decodePosition(answer), records: 0 });
    return new Map(readers.map((reader, i) => [reader, { epoch, own: endAt(ends[i]), pulled: endAt(pulledEnd) }]));
  }

  /** Whether all that follows the position is still there. */
  async #leadsOn(reader: string, { epoch, own, pulled }: LivePosition): Promise<boolean> {
    const { tools, log } = this.#options;
    if (epoch !== tools.cache.keys.epoch) {
      return false;
    }
    const answers = await tools.cache.run([
      log.readCall(bucketOf(reader), own.entry, 0),
      log.readCall('pulled', pulled.entry, 0),
    ]);
    return answers.every((answer) => decodeLiveSlice(answer).complete);
  }

  /** Keeps what streams need: that their readers are watched, and that their lists are there. */
  async #renew(): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#positionsNow([...this.#streams.keys()]);
      for (const stream of await this.#buildMissing(this.#all())) {
        stream.resync();
      }
    } catch (error) {
      logger.warn({ err: (error as Error).message }, 'streams could not be renewed, which is tried again');
    }
  }
}
