import type { Cache, ScriptCall } from '@tideline/shared/cache';
import { bucketOf } from '@tideline/shared/feed-keys';
import { decodeLiveRecords, type LiveRecord, recordLive } from '@tideline/shared/live-records';
import { loadScript } from '@tideline/shared/redis-script';
import { listTtlS } from '../inbox/list-reader.js';

const openWatchScript = loadScript('open-watch', import.meta.url, recordLive);
const readLiveScript = loadScript('read-live', import.meta.url);
const lastPulledScript = loadScript('last-pulled', import.meta.url, recordLive);

/** For so long what happens to a user is recorded after it was last watched. To be renewed well before. */
export const watchLeaseS = 300;

/** As Redis makes them: milliseconds and a number. */
const entryIdPattern = /^\d{1,16}-\d{1,16}$/;

/** A stream of records: that of a bucket, by its number, or that of the authors whom readers merge. */
export type LivePlace = number | 'pulled';

export interface LiveEntry {
  /** Rises within a place. */
  id: string;
  records: LiveRecord[];
}

export interface LiveSlice {
  /**
   * False where the entry to go on from is not there any more, or somebody is not watched: something may be lost or was
   * never recorded, and nothing is read.
   */
  complete: boolean;
  entries: LiveEntry[];
}

/**
 * What happened to readers, in the order in which it happened, as the scripts of fanout and of corrections recorded it
 * (`live-records.ts`): the log that live streams are read from. Calls and decoders, for those who send several at a time,
 * and the same as methods. Calls are of the cache epoch in which they were made. Methods throw `unavailable` or
 * `cache_refused` where Redis cannot be used.
 */
export class LiveLog {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /**
   * Has what happens to each of these users recorded for `watchLeaseS` more seconds, and keeps their lists for as long as
   * if they had been read. Returns for each the entry of its bucket from which on to read. A user who was not recorded
   * until now finds `watch_began` at or before that entry; whoever reads it later, behind another position, has missed
   * something.
   */
  async watch(userIds: readonly string[]): Promise<Map<string, string>> {
    const answers = await this.#cache.run(userIds.map((userId) => this.watchCall(userId)));
    return new Map(userIds.map((userId, i) => [userId, decodePosition(answers[i])]));
  }

  /** Up to `entriesMax` entries of a place that follow `after`. */
  async read(place: LivePlace, after: string, entriesMax: number): Promise<LiveSlice> {
    if (!isEntryId(after)) {
      return { complete: false, entries: [] };
    }
    const [answer] = await this.#cache.run([this.readCall(place, after, entriesMax)]);
    return decodeLiveSlice(answer);
  }

  /** Whether an entry is there, so that nothing is missing between it and those after it. */
  async has(place: LivePlace, id: string): Promise<boolean> {
    return (await this.read(place, id, 0)).complete;
  }

  /** The last entry of the merged authors' stream. It stays for another hour: to be called as often as `watch`. */
  async lastPulled(): Promise<string> {
    const [answer] = await this.#cache.run([this.lastPulledCall()]);
    return decodePosition(answer);
  }

  watchCall(userId: string): ScriptCall {
    const { keys } = this.#cache;
    const bucket = bucketOf(userId);
    return {
      script: openWatchScript,
      keys: [
        keys.bucketEpoch(bucket),
        keys.watched(bucket),
        keys.live(bucket),
        keys.list('inbox', userId, bucket),
        keys.list('notifications', userId, bucket),
      ],
      args: [keys.epoch, userId, watchLeaseS, listTtlS, keys.liveChannel],
    };
  }

  /**
   * `after` as it was given out by this log: what a client sends has to be looked at first (`isEntryId`). `watched`: users
   * of the bucket without whose being watched the answer is not complete.
   */
  readCall(place: LivePlace, after: string, entriesMax: number, watched: readonly string[] = []): ScriptCall {
    const { keys } = this.#cache;
    const [bucket, stream] = place === 'pulled' ? [0, keys.livePulled()] : [place, keys.live(place)];
    return {
      script: readLiveScript,
      keys: [keys.bucketEpoch(bucket), stream, ...(place === 'pulled' ? [] : [keys.watched(place)])],
      args: [keys.epoch, after, entriesMax, ...watched],
    };
  }

  lastPulledCall(): ScriptCall {
    const { keys } = this.#cache;
    return {
      script: lastPulledScript,
      keys: [keys.bucketEpoch(0), keys.livePulled(), keys.livePulledIds()],
      args: [keys.epoch, keys.liveChannel],
    };
  }
}

/** Whether a text can be the id of an entry. */
export function isEntryId(text: string): boolean {
  return entryIdPattern.test(text);
}

/** Of `watchCall` and `lastPulledCall`: the id of an entry. */
export function decodePosition(answer: unknown): string {
  return (answer as Buffer).toString('latin1');
}

export function decodeLiveSlice(answer: unknown): LiveSlice {
  const [complete, ...parts] = answer as [number, ...Buffer[]];
  const entries: LiveEntry[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    entries.push({ id: decodePosition(parts[i]), records: decodeLiveRecords(parts[i + 1] as Buffer) });
  }
  return { complete: complete === 1, entries };
}
