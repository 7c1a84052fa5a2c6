import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@tideline/shared/logger';
import type { Offsets } from 'kafkajs';

/** Sends a commit as the member of the group that this process is at present. */
export type SendCommit = (offsets: Offsets) => Promise<void>;

const retryDelayMs = 500;

/**
 * Commits what is done, behind the work: a commit takes as long as a small batch, and nothing depends on it, because
 * what is delivered again changes nothing (I11). One commit is outstanding at a time and carries all partitions.
 */
export class OffsetCommits {
  readonly #topic: string;
  readonly #logger: Logger;
  /** Partition to the offset that comes after all that is done. */
  readonly #done = new Map<number, string>();
  #sending: Promise<void> | undefined;
  #sendCommit: SendCommit = () => Promise.resolve();
  #closing = false;

  constructor(topic: string, logger: Logger) {
    this.#topic = topic;
    this.#logger = logger;
  }

  /** Everything of the partition below `offset` is done. */
  done(partition: number, offset: string, send: SendCommit): void {
    this.#done.set(partition, offset);
    // Of the membership that did the work: one that ended meanwhile could not commit any more.
    this.#sendCommit = send;
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Partitions were given out anew: what is not committed is delivered again, to whoever has it now. */
  forget(): void {
    this.#done.clear();
  }

  /** Resolves when nothing waits to be committed. From now on what fails is not sent again: the process ends. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#done.size > 0) {
      const batch = [...this.#done];
      const partitions = batch.map(([partition, offset]) => ({ partition, offset }));
      try {
        await this.#sendCommit({ topics: [{ topic: this.#topic, partitions }] });
        for (const [partition, offset] of batch) {
          if (this.#done.get(partition) === offset) {
            this.#done.delete(partition);
          }
        }
      } catch (error) {
        // Where the group is being joined anew, the heartbeat finds out as well, and joining forgets what is left.
        this.#logger.warn({ err: (error as Error).message }, 'offsets are not committed yet');
        if (this.#closing) {
          return;
        }
        await delay(retryDelayMs);
      }
    }
  }
}
