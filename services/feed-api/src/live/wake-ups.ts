import type { Logger } from '@tideline/shared/logger';
import { redisConnection } from '@tideline/shared/redis-connection';

const connectTimeoutMs = 3_000;
const commandTimeoutMs = 3_000;
/** A connection of which nothing is heard may be dead: it is asked so often. */
const pingIntervalMs = 5_000;

/** Why a key went that nobody removed, as a server tells it where `notify-keyspace-events` has `Exe`. */
export type KeyEnd = (typeof keyEnds)[number];
export const keyEnds = ['expired', 'evicted'] as const;

export interface WakeUpsOptions {
  redisUrl: string;
  channel: string;
  logger: Logger;
  /** Something was appended to this log. */
  onMessage(message: string): void;
  onKeyGone(key: string, end: KeyEnd): void;
  /** Listening began, or began again: whatever was said meanwhile was not heard. */
  onListening(): void;
}

/**
 * The one subscription of a process, however many streams it has. What is said while it is not connected is lost, so
 * messages say only where to look, and `onListening` says to look everywhere.
 */
export class WakeUps {
  readonly #redis: ReturnType<typeof redisConnection>;
  readonly #options: WakeUpsOptions;
  #pinging: NodeJS.Timeout | undefined;

  constructor(options: WakeUpsOptions) {
    this.#options = options;
    this.#redis = redisConnection(options.redisUrl, { connectTimeoutMs, commandTimeoutMs });
    this.#redis.on('ready', () => void this.#listen());
    // The cache's connection to the same server says in the log that it is away.
    this.#redis.on('error', () => undefined);
    this.#redis.on('message', (_channel, message) => options.onMessage(message));
    this.#redis.on('pmessage', (_pattern, channel, key) => {
      options.onKeyGone(key, channel.slice(channel.indexOf(':') + 1) as KeyEnd);
    });
  }

  start(): void {
    this.#redis.connect().catch(() => undefined);
    this.#pinging = setInterval(() => {
      if (this.#redis.status === 'ready') {
        this.#redis.ping().catch(() => this.#redis.disconnect(true));
      }
    }, pingIntervalMs);
  }

  close(): void {
    clearInterval(this.#pinging);
    this.#redis.disconnect();
  }

  async #listen(): Promise<void> {
    const { channel, logger, onListening } = this.#options;
    try {
      await this.#redis.subscribe(channel);
      await this.#redis.psubscribe(...keyEnds.map((end) => `__keyevent@*__:${end}`));
      onListening();
    } catch (error) {
      logger.warn({ err: (error as Error).message }, 'the live channel cannot be listened to yet');
      this.#redis.disconnect(true);
    }
  }
}
