import { type ListKind, listKinds } from '@tideline/shared/feed-lists';
import { durationBuckets } from '@tideline/shared/metrics';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type LiveEventName, type LiveFeed, liveEventNames, liveFeeds } from './live/live-client.js';
import { type KeyEnd, keyEnds } from './live/wake-ups.js';

/** hit: from Redis alone. floor: began in Redis and went on in SQL. miss: not there yet. off: no Redis. */
export type CacheOutcome = (typeof cacheOutcomes)[number];
const cacheOutcomes = ['hit', 'floor', 'miss', 'off'] as const;
const bodySources = ['process', 'redis', 'sql'] as const;

/**
 * hit: answered from what was kept. miss: nothing was kept. ended: what was kept may not be shown any more. around: the
 * client asked for that. off: no Redis, so nothing can be trusted.
 */
export type PullCacheOutcome = (typeof pullCacheOutcomes)[number];
const pullCacheOutcomes = ['hit', 'miss', 'ended', 'around', 'off'] as const;

export interface FeedApiMetrics {
  feedRead(feed: string, strategy: string, sqlStatements: number): void;
  cacheRead(outcome: CacheOutcome): void;
  pullCacheRead(outcome: PullCacheOutcome): void;
  bodiesRead(source: (typeof bodySources)[number], count: number): void;
  registerLoaded(): void;
  tombstonesLoaded(): void;
  listRebuilt(kind: string, outcome: 'ready' | 'refused' | 'failed', seconds: number): void;
  streamOpened(feed: LiveFeed): void;
  streamClosed(feed: LiveFeed): void;
  streamEvent(feed: LiveFeed, event: LiveEventName): void;
  /** Its reader did not keep up. */
  streamDropped(feed: LiveFeed): void;
  /** Redis removed a list or a body by itself. Every process that listens is told. */
  keyGone(kind: ListKind | 'body', end: KeyEnd): void;
}

export function feedApiMetrics(registry: Registry): FeedApiMetrics {
  const registers = [registry];
  const statements = new Histogram({
    name: 'tideline_read_sql_statements',
    help: 'SQL statements that one page took',
    labelNames: ['feed', 'strategy'],
    buckets: [0, 1, 2, 3, 5, 8, 13, 21],
    registers,
  });
  const cacheReads = new Counter({
    name: 'tideline_feed_cache_reads_total',
    help: 'Reads of feeds, one or more a page, by how far Redis could serve them',
    labelNames: ['outcome'],
    registers,
  });
  const pullCacheReads = new Counter({
    name: 'tideline_pull_cache_reads_total',
    help: 'Pages of plain queries by whether one that was kept could be shown',
    labelNames: ['outcome'],
    registers,
  });
  const bodies = new Counter({
    name: 'tideline_bodies_read_total',
    help: 'Activity bodies by where they were found',
    labelNames: ['source'],
    registers,
  });
  const loads = new Counter({
    name: 'tideline_register_loads_total',
    help: 'Registers and tombstone lists read from the database',
    labelNames: ['kind'],
    registers,
  });
  const rebuilds = new Histogram({
    name: 'tideline_list_rebuild_seconds',
    help: 'Time to rebuild an inbox or outbox behind a read',
    labelNames: ['kind', 'outcome'],
    buckets: durationBuckets,
    registers,
  });
  const streams = new Gauge({
    name: 'tideline_streams_open',
    help: 'Streams of events that are open, by feed',
    labelNames: ['feed'],
    registers,
  });
  const streamEvents = new Counter({
    name: 'tideline_stream_events_total',
    help: 'Events sent to streams; resync: what happened is not known, and the reader reads anew',
    labelNames: ['feed', 'event'],
    registers,
  });
  const streamsDropped = new Counter({
    name: 'tideline_streams_dropped_total',
    help: 'Streams that were cut off because their reader did not keep up',
    labelNames: ['feed'],
    registers,
  });
  const keysGone = new Counter({
    name: 'tideline_cache_keys_gone_total',
    help: 'Lists and bodies that Redis removed by itself: expired when not used for long, evicted for want of memory. Each process counts all of them',
    labelNames: ['kind', 'end'],
    registers,
  });
  // Prometheus counts from the first value that it sees: were that the first event, the event would not be seen.
  for (const outcome of cacheOutcomes) {
    cacheReads.inc({ outcome }, 0);
  }
  for (const outcome of pullCacheOutcomes) {
    pullCacheReads.inc({ outcome }, 0);
  }
  for (const source of bodySources) {
    bodies.inc({ source }, 0);
  }
  for (const kind of [...listKinds, 'body']) {
    for (const end of keyEnds) {
      keysGone.inc({ kind, end }, 0);
    }
  }
  for (const feed of liveFeeds) {
    streams.set({ feed }, 0);
    streamsDropped.inc({ feed }, 0);
    for (const event of liveEventNames) {
      streamEvents.inc({ feed, event }, 0);
    }
  }
  return {
    feedRead: (feed, strategy, sqlStatements) => statements.observe({ feed, strategy }, sqlStatements),
    cacheRead: (outcome) => cacheReads.inc({ outcome }),
    pullCacheRead: (outcome) => pullCacheReads.inc({ outcome }),
    bodiesRead: (source, count) => bodies.inc({ source }, count),
    registerLoaded: () => loads.inc({ kind: 'register' }),
    tombstonesLoaded: () => loads.inc({ kind: 'tombstones' }),
    listRebuilt: (kind, outcome, seconds) => rebuilds.observe({ kind, outcome }, seconds),
    streamOpened: (feed) => streams.inc({ feed }),
    streamClosed: (feed) => streams.dec({ feed }),
    streamEvent: (feed, event) => streamEvents.inc({ feed, event }),
    streamDropped: (feed) => streamsDropped.inc({ feed }),
    keyGone: (kind, end) => keysGone.inc({ kind, end }),
  };
}
