import type { FeedItem } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import { type ReceivedEvent, readEventStream } from '@tideline/shared/event-stream-reader';
import type { FeedLines } from './feed-lines.js';

const itemsAtFirst = 10;
const requestTimeoutMs = 10_000;
/** Deletions name what they end, as long as it is remembered. */
const rememberedMax = 1_000;

export interface WatchOptions {
  feedApi: string;
  headers: Record<string, string>;
  /** undefined: events as JSON. */
  lines: FeedLines | undefined;
  write(line: string): void;
  /** What is not of the feed: the connection's coming and going. */
  say(sentence: string): void;
  signal: AbortSignal;
}

/** Shows the newest items of a home feed and then what happens in it, until `signal` aborts it. */
export async function watchFeed(options: WatchOptions): Promise<void> {
  const { feedApi, headers, lines, write, say, signal } = options;
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort());
  let failure: unknown;
  let newestShown: Promise<void> | undefined;
  let isLost = false;
  const view = lines === undefined ? jsonView(write) : new FeedView(lines, write);
  const showNewest = async () => view.showNewest(() => readNewest(feedApi, headers));

  const events = readEventStream({
    url: `${feedApi}/v1/feeds/home/stream`,
    headers,
    signal: stop.signal,
    onOpen() {
      if (isLost) {
        say('Connected again.');
      }
      isLost = false;
      // Only once the stream stands: what happens between the two is in one of them, or in both and shown once.
      newestShown ??= showNewest().catch((error: unknown) => {
        failure = error;
        stop.abort();
      });
    },
    onLost(reason) {
      if (!isLost) {
        say(`The connection is lost and will be opened again: ${reason}`);
      }
      isLost = true;
    },
  });
  for await (const event of events) {
    await newestShown;
    await view.show(event, () => readNewest(feedApi, headers));
  }
  if (failure !== undefined) {
    throw failure;
  }
}

type ReadNewest = () => Promise<FeedItem[]>;

interface View {
  showNewest(read: ReadNewest): Promise<void>;
  show(event: ReceivedEvent, read: ReadNewest): Promise<void>;
}

function jsonView(write: (line: string) => void): View {
  return {
    showNewest: async () => undefined,
    show: async ({ event, id, data }) => write(JSON.stringify({ event, id, data: JSON.parse(data) as unknown })),
  };
}

class FeedView implements View {
  readonly #lines: FeedLines;
  readonly #write: (line: string) => void;
  readonly #shown = new Map<string, FeedItem>();

  constructor(lines: FeedLines, write: (line: string) => void) {
    this.#lines = lines;
    this.#write = write;
  }

  /** Those that were not shown before, the newest last. */
  async showNewest(read: ReadNewest): Promise<void> {
    for (const item of (await read()).reverse()) {
      this.#showItem(item);
    }
  }

  async show({ event, data }: ReceivedEvent, read: ReadNewest): Promise<void> {
    if (event === 'activity') {
      this.#showItem(JSON.parse(data) as FeedItem);
    } else if (event === 'delete') {
      const { id } = JSON.parse(data) as { id: string };
      this.#write(this.#lines.deletion(id, this.#shown.get(id)));
    } else if (event === 'resync') {
      this.#write(this.#lines.gap());
      await this.showNewest(read);
    }
  }

  #showItem(item: FeedItem): void {
    if (this.#shown.has(item.id)) {
      return;
    }
    this.#shown.set(item.id, item);
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > rememberedMax && oldest !== undefined) {
      this.#shown.delete(oldest);
    }
    this.#write(this.#lines.activity(item));
  }
}

async function readNewest(feedApi: string, headers: Record<string, string>): Promise<FeedItem[]> {
  const response = await fetch(`${feedApi}/v1/feeds/home?limit=${itemsAtFirst}`, {
    headers,
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!response.ok) {
    throw new TidelineError('unavailable', `The feed cannot be read (${response.status}): ${await response.text()}`);
  }
  return ((await response.json()) as { items: FeedItem[] }).items;
}
