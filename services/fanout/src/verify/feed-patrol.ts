import type { Logger } from '@tideline/shared/logger';
import { randomUsers, usersAfter } from '@tideline/shared/verify/readers';
import { Patience, type Verification, type VerifyTools, verifyReaders } from '@tideline/shared/verify/verify-readers';
import type { FanoutMetrics } from '../metrics.js';

export interface FeedPatrolOptions {
  tools: VerifyTools;
  /** Between two groups of users; 0: no patrol. */
  intervalMs: number;
  /** Whether this process is the one to do it. */
  isMine: () => boolean;
  metrics: Pick<FanoutMetrics, 'feedsVerified'>;
  logger: Logger;
}

/** Bounds what one round costs: at most two plain queries for each of them, and mostly none, plus two for all. */
const usersPerRound = 25;
const patienceMs = 5_000;
const idsLoggedMax = 50;

/**
 * `tideline verify` in the background (E12): every so often the feeds of the next few users are held against the
 * database, from a random user on and round again, so that everybody has a turn. It repairs nothing: a difference is a
 * defect that somebody has to see first.
 *
 * It is in fanout, because whether a difference is only on its way is asked of Kafka, which feed-api does not know. Of
 * several processes the one that was assigned the first partition does it: the group has elected it already.
 */
export class FeedPatrol {
  readonly #options: FeedPatrolOptions;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #patience = new Patience(0);
  /** The user who was looked at last. */
  #last: string | undefined;

  constructor(options: FeedPatrolOptions) {
    this.#options = options;
  }

  start(): void {
    const { intervalMs, isMine } = this.#options;
    if (intervalMs === 0) {
      return;
    }
    this.#timer = setInterval(() => {
      if (this.#round === undefined && isMine()) {
        this.#round = this.#lookAtSome().finally(() => {
          this.#round = undefined;
        });
      }
    }, intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#patience.spend(patienceMs);
    await this.#round;
  }

  async #lookAtSome(): Promise<void> {
    const { tools, logger } = this.#options;
    try {
      const users = await this.#nextUsers();
      if (users.length > 0) {
        this.#patience = new Patience(patienceMs);
        this.#report(await verifyReaders(tools, users, this.#patience));
      }
    } catch (error) {
      // A server is away, which others say louder; the next round comes.
      logger.debug({ err: (error as Error).message }, 'feeds could not be checked');
    }
  }

  async #nextUsers(): Promise<string[]> {
    const { database } = this.#options.tools;
    this.#last ??= (await randomUsers(database, 1))[0] ?? '';
    const users = await usersAfter(database, this.#last, usersPerRound);
    // At the end it begins again.
    this.#last = users.length < usersPerRound ? '' : users.at(-1);
    return users;
  }

  #report({ readers, different, undecided }: Verification): void {
    const { metrics, logger } = this.#options;
    metrics.feedsVerified({
      equal: readers - different.length - undecided.length,
      different: different.length,
      undecided: undecided.length,
    });
    for (const { reader, differences } of different) {
      logger.warn(
        { reader, count: differences.length, differences: differences.slice(0, idsLoggedMax) },
        'a feed in Redis differs from the database: see "tideline verify"',
      );
    }
  }
}
