import type { LiveLog, LivePlace } from '@tideline/feed-api/live/live-log';
import { bucketOf } from '@tideline/shared/feed-keys';
import type { LiveRecord } from '@tideline/shared/live-records';

const entriesMax = 5_000;

/** Reads on in a live log and answers what was recorded since the last time it was asked. Throws where some of it is lost. */
export class LiveWatcher {
  readonly #live: LiveLog;
  readonly #place: LivePlace;
  readonly #userId: string | undefined;
  #position: string;

  private constructor(live: LiveLog, place: LivePlace, userId: string | undefined, position: string) {
    this.#live = live;
    this.#place = place;
    this.#userId = userId;
    this.#position = position;
  }

  /** Has what happens to a user recorded from now on. */
  static async ofUser(live: LiveLog, userId: string): Promise<LiveWatcher> {
    const position = (await live.watch([userId])).get(userId) ?? '';
    return new LiveWatcher(live, bucketOf(userId), userId, position);
  }

  /** What authors do whom readers merge. */
  static async ofPulled(live: LiveLog): Promise<LiveWatcher> {
    return new LiveWatcher(live, 'pulled', undefined, await live.lastPulled());
  }

  async news(): Promise<LiveRecord[]> {
    const { complete, entries } = await this.#live.read(this.#place, this.#position, entriesMax);
    if (!complete) {
      throw new Error(`entry ${this.#position} of the live log is not there any more`);
    }
    this.#position = entries.at(-1)?.id ?? this.#position;
    return entries
      .flatMap(({ records }) => records)
      .filter(({ userId }) => this.#userId === undefined || userId === this.#userId);
  }
}
