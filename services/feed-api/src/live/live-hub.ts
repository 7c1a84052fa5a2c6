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
import { comparePoints, formatPosition, type LivePosition, parsePosition } from './live-position.js';
import { LiveStream, type LogPart, liveFeed, type StreamNews } from './live-stream.js';
import { LiveStreams } from './live-streams.js';
import { confirmView, presentLive } from './present-live.js';

export interface LiveHubOptions {
  tools: FeedTools;
  log: LiveLog;
  logger: Logger;
}

const entriesPerReadMax = 500;
/** What comes within this time is handed out in one turn, because a turn costs nearly the same for one and for many. */
const pauseMs = 20;
const retryDelayFirstMs = 20;
const retryDelayMaxMs = 1_000;
/** Leases of watched readers last several times as long. */
const renewIntervalMs = 60_000;
const changesRegister: ReadonlySet<LiveRecordKind> = new Set(['register_changed', 'watch_began']);

/**
 * All streams of a process. A wake-up says that something was appended to a log: that of a bucket, or the one of the
 * authors who are merged at read. Then the hub takes a turn: what is new is read once for all streams, held against
 * registers and tombstones as a page is, and handed out.
 *
 *   wake-up ──► turn: read logs ──► registers that changed ──► bodies, names ──► hand out and move on
 *
 * Whatever changes a register drops it, and that is recorded in its reader's log. So a stream's register is right for as
 * long as that log says nothing else, and a turn that hands out reads the logs of all whom it hands out to: one for each
 * bucket, however many readers an author has.
 *
 * A turn hands out at its end, without a pause, so one that fails has done nothing and is repeated. What cannot be told
 * item by item is told as a resync: the client reads its pages again.
 */
export class ProcessLiveHub implements LiveHub {
  readonly #options: LiveHubOptions;
  readonly #streams = new LiveStreams();
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
    // What changes the register from here on the stream finds in the log.
    const now = await this.#positionNow(reader);
    const { registers } = await confirmView(tools, new SqlScope(tools), [reader]);
    const { own: asOf } = await this.#positionNow(reader);
    if (this.#closed) {
      throw unavailable('This process is stopping');
    }
    const known = { register: registers.get(reader) as Register, asOf };
    const stream = new LiveStream(reader, feed, client, known, resumed ?? now);
    this.#streams.add(stream);
    if (lastEventId !== undefined && resumed === undefined) {
      stream.resync();
    }
    this.wake(stream.bucket);
    return { position: formatPosition(stream.position), close: () => this.#leave(stream) };
  }

  /** Something was recorded there. */
  wake(place: LivePlace): void {
    if (this.#closed || this.#streams.areNone) {
      return;
    }
    this.#woken.add(place);
    this.#turning ??= this.#takeTurns();
  }

  /** Something may have been recorded that nobody was told of. */
  wakeAll(): void {
    for (const bucket of this.#streams.buckets()) {
      this.wake(bucket);
    }
    this.wake('pulled');
  }

  /** A list is gone: what is delivered to its reader before it is built again is recorded nowhere. */
  listLost(reader: string, kind: ListKind): void {
    for (const stream of this.#streams.of(reader)) {
      if (stream.feed.list.kind === kind) {
        this.#options.tools.rebuilder.request(stream.feed.list);
        stream.resync();
      }
    }
  }

  #leave(stream: LiveStream): void {
    stream.end();
    this.#streams.delete(stream);
  }

  async #takeTurns(): Promise<void> {
    let delayMs = retryDelayFirstMs;
    while (this.#woken.size > 0) {
      const places = [...this.#woken];
      this.#woken.clear();
      try {
        await this.#turn(places);
        await delay(pauseMs);
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

  async #turn(woken: readonly LivePlace[]): Promise<void> {
    const { tools } = this.#options;
    // Whoever is told of a merged author has its own log read, too.
    const buckets = woken.includes('pulled') ? this.#streams.buckets() : (woken as readonly number[]);
    const streams = buckets.flatMap((bucket) => this.#streams.inBucket(bucket));
    const { epoch } = tools.cache.keys;
    // Nothing that the last epoch recorded is left, and no list.
    await this.#beginAnew(streams.filter(({ position }) => position.epoch !== epoch));
    const { parts, unfinished } = await this.#readLogs(buckets, streams);
    for (const place of unfinished.has('pulled') ? woken : unfinished) {
      this.#woken.add(place);
    }
    const sql = new SqlScope(tools);

    // Whose own log goes on may not know yet that it merges an author.
    const pulledPart = ({ bucket }: LiveStream) => (unfinished.has(bucket) ? undefined : parts.get('pulled'));
    const owns = streams.map((stream) => [stream, stream.ownNews(parts.get(stream.bucket))] as const);
    const view = await confirmView(tools, sql, changedRegisters(streams, parts));
    const news = new Map<LiveStream, StreamNews>();
    for (const [stream, own] of owns) {
      const register = view.registers.get(stream.reader) ?? stream.register;
      news.set(stream, { own, pulled: stream.pulledNews(pulledPart(stream), register), register });
    }
    const texts = await presentLive(tools, sql, news, view.tombstones);

    for (const [stream, all] of news) {
      const readTo = { own: parts.get(stream.bucket), pulled: pulledPart(stream) };
      stream.handOut(all, texts.get(stream) ?? { activities: new Map() }, readTo);
    }
  }

  /**
   * What was recorded by authors who are merged at read, and for these streams in their buckets, from where the first of
   * them is, and the places where more is left. Streams that cannot go on begin anew.
   */
  async #readLogs(buckets: readonly number[], streams: readonly LiveStream[]): Promise<LogParts> {
    const { tools, log } = this.#options;
    // A decision who merges an author is recorded before what the author then does: so that is read first, and whoever is told
    // of it knows of the decision.
    const reads = ['pulled' as const, ...buckets].flatMap((place) => {
      const followers = (place === 'pulled' ? streams : this.#streams.inBucket(place)).filter((stream) =>
        stream.follows(place),
      );
      const [first] = followers.map((stream) => stream.pointIn(place)).sort(comparePoints);
      return first === undefined ? [] : { place, followers, after: first.entry };
    });
    const answers = await tools.cache.run(
      reads.map(({ place, followers, after }) => {
        const readers = followers.map(({ reader }) => reader);
        return log.readCall(place, after, entriesPerReadMax, place === 'pulled' ? [] : readers);
      }),
    );
    const parts = new Map<LivePlace, LogPart>();
    const unfinished = new Set<LivePlace>();
    for (const [i, { place, followers, after }] of reads.entries()) {
      const { complete, entries } = decodeLiveSlice(answers[i]);
      if (!complete) {
        await this.#beginAnew(followers.filter((stream) => stream.pointIn(place).entry === after));
      }
      parts.set(place, { after, entries });
      if (!complete || entries.length === entriesPerReadMax) {
        unfinished.add(place);
      }
    }
    return { parts, unfinished };
  }

  /** Has streams go on from now, and their clients read again. */
  async #beginAnew(streams: readonly LiveStream[]): Promise<void> {
    if (streams.length === 0) {
      return;
    }
    const { tools } = this.#options;
    const readers = [...new Set(streams.map(({ reader }) => reader))];
    const positions = await this.#positionsNow(readers);
    const { registers } = await confirmView(tools, new SqlScope(tools), readers);
    for (const stream of streams) {
      stream.beginAnew(positions.get(stream.reader) as LivePosition, registers.get(stream.reader) as Register);
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
      await this.#positionsNow(this.#streams.readers());
      for (const stream of await this.#buildMissing(this.#streams.all())) {
        stream.resync();
      }
    } catch (error) {
      logger.warn({ err: (error as Error).message }, 'streams could not be renewed, which is tried again');
    }
  }
}

interface LogParts {
  parts: ReadonlyMap<LivePlace, LogPart>;
  unfinished: ReadonlySet<LivePlace>;
}

/** Readers whose register changed since the logs were last read, or may have, while nobody recorded that. */
function changedRegisters(streams: readonly LiveStream[], parts: ReadonlyMap<LivePlace, LogPart>): string[] {
  const readers = new Set<string>();
  for (const { entries } of parts.values()) {
    for (const { kind, userId } of entries.flatMap(({ records }) => records)) {
      if (changesRegister.has(kind)) {
        readers.add(userId);
      }
    }
  }
  return readers.size === 0
    ? []
    : [...new Set(streams.map(({ reader }) => reader))].filter((reader) => readers.has(reader));
}
