/** What a stream gets from the live hub, and what it gives back: the door knows no more of what is behind it. */

export const liveFeeds = ['home', 'notifications'] as const;
export type LiveFeed = (typeof liveFeeds)[number];

export const liveEventNames = ['activity', 'delete', 'resync'] as const;
export type LiveEventName = (typeof liveEventNames)[number];

export interface LiveEvent {
  /** The position after this event: whoever opens again with it goes on there. Without a line break. */
  id: string;
  event: LiveEventName;
  /**
   * JSON on one line. activity: the item as pages show it; delete: `{id}`; resync: `{}`, whoever gets it reads anew. Of
   * notifications the first two have `unseen` and `unread` besides.
   */
  data: string;
}

/** One open stream, as the hub sees it. Neither call throws or waits, also after the stream has ended. */
export interface LiveClient {
  send(event: LiveEvent): void;
  /** Nothing of it concerned this stream, but the logs went on: who opens again starts here. */
  moved(position: string): void;
}

export interface LiveSubscription {
  /** Where the stream begins: all that happens from here on is sent. */
  position: string;
  /** After it nothing is sent any more. */
  close(): void;
}

export interface LiveHub {
  /**
   * Begins a stream of a reader's feed, after `lastEventId` where that is given: what is not known there any more, or was
   * never given out, is answered with `resync`. Throws `unavailable` without Redis.
   */
  open(reader: string, feed: LiveFeed, lastEventId: string | undefined, client: LiveClient): Promise<LiveSubscription>;
}
