import { setTimeout as delay } from 'node:timers/promises';
import { activityIdFromBytes } from '@tideline/shared/activity-id';
import { FeedKeys } from '@tideline/shared/feed-keys';
import type { ListKind } from '@tideline/shared/feed-lists';
import type { FaultServers } from '../fault-servers.js';
import { HttpClient, type RequestOptions } from '../http-client.js';
import { type Platform, startPlatform } from '../platform.js';
import type { ServiceProcess } from '../service-process.js';
import { waitUntil } from '../wait-until.js';

/** Small, so that lists are trimmed and authors cross in histories that people can read. */
const inboxCap = 8;
const followerThreshold = 3;
/** Histories of a round each have some. */
const streamsMax = 1_000;
/** How far the clock of the second ingest is behind: no order may come from clocks. */
const clockBehindMs = 1_500;
const retryDelayMs = 100;
const retryForMaxMs = 60_000;

/** The whole system, with two ingest and two feed-api processes, whose fanout and Redis are taken away at times. */
export class ModelSystem {
  readonly platform: Platform;
  readonly followerThreshold = followerThreshold;
  /** How often Redis lost all or some of what it had. */
  redisLosses = 0;
  readonly #servers: FaultServers | undefined;
  readonly #ingests: readonly HttpClient[];
  readonly #feedApis: readonly HttpClient[];
  readonly #fanouts: ServiceProcess[] = [];
  readonly #frozen: ServiceProcess[] = [];

  constructor(platform: Platform, servers: FaultServers | undefined, ingests: HttpClient[], feedApis: HttpClient[]) {
    this.platform = platform;
    this.#servers = servers;
    this.#ingests = ingests;
    this.#feedApis = feedApis;
  }

  feedApi(which: number): HttpClient {
    return this.#feedApis[which] ?? this.platform.feedApi;
  }

  /** Writes, again and again for as long as the outcome is unknown or the write cannot be made: as a client has to. */
  async write<Body>(ingest: number, method: string, path: string, options: RequestOptions): Promise<Body> {
    const client = this.#ingests[ingest] ?? this.platform.ingest;
    const startedAt = performance.now();
    for (;;) {
      const { status, body } = await client.request<Body>(method, path, options);
      if (status < 300) {
        return body;
      }
      if ((status !== 503 && status !== 409) || performance.now() - startedAt > retryForMaxMs) {
        throw new Error(`${method} ${path} was answered ${status} ${JSON.stringify(body)}`);
      }
      await delay(retryDelayMs);
    }
  }

  /** Takes a key of a user away, as its expiry would. */
  async expire(user: string, what: ListKind | 'register'): Promise<void> {
    const keys = await this.#keys();
    await this.#whileRedisIsThere(() =>
      this.platform.redis.unlink(what === 'register' ? keys.register(user) : keys.list(what, user)),
    );
  }

  /** The ids of a reader's inbox as it is stored; none where it is not there. */
  async storedInbox(reader: string): Promise<string[]> {
    const keys = await this.#keys();
    const entries = await this.platform.redis.lrangeBuffer(keys.list('inbox', reader), 0, -2);
    return entries.map((entry) => activityIdFromBytes(entry));
  }

  /** Breaks the connections over which processes listen to what is new. */
  async dropSubscriptions(): Promise<void> {
    await this.#whileRedisIsThere(() => this.platform.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
  }

  async expireTombstones(): Promise<void> {
    const keys = await this.#keys();
    await this.#whileRedisIsThere(() => this.platform.redis.unlink(keys.tombstones()));
  }

  async flushRedis(): Promise<void> {
    this.redisLosses += 1;
    await this.#whileRedisIsThere(() => this.platform.redis.flushall());
    this.redisLosses += 1;
  }

  /** Has Redis write its data to disk, so that a restart brings back what it was then, as persistence would. */
  async saveRedis(): Promise<void> {
    await this.#whileRedisIsThere(() => this.platform.redis.save());
  }

  /** Where its server cannot be restarted, Redis is flushed. */
  async restartRedis(): Promise<void> {
    if (this.#servers === undefined) {
      await this.flushRedis();
      return;
    }
    this.redisLosses += 1;
    await this.#servers.stopServer('redis', 'KILL');
    await this.#servers.startServer('redis');
    this.redisLosses += 1;
  }

  async startFanout(): Promise<void> {
    this.#fanouts.push(await this.platform.spawnFanout());
  }

  async endFanout(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#fanouts.pop()?.signal(signal);
  }

  async freezeFanout(): Promise<void> {
    const fanout = this.#fanouts.shift();
    if (fanout !== undefined) {
      this.#frozen.push(fanout);
      await fanout.signal('SIGSTOP');
    }
  }

  /** Lets those that were frozen go on, and waits until each has found out that it lost its partitions. */
  async thawFanout(): Promise<void> {
    for (const fanout of this.#frozen.splice(0)) {
      const joined = () => fanout.output.split('partitions assigned').length;
      const before = joined();
      await fanout.signal('SIGCONT');
      await waitUntil('the fanout that was frozen has joined anew', () => joined() > before);
      await fanout.signal('SIGTERM');
    }
  }

  /** Back to one fanout that runs. */
  async mendFanout(): Promise<void> {
    while (this.#fanouts.length > 1) {
      await this.endFanout('SIGTERM');
    }
    if (this.#fanouts.length === 0) {
      await this.startFanout();
    }
  }

  get isFrozen(): boolean {
    return this.#frozen.length > 0;
  }

  async stop(): Promise<void> {
    await this.platform.stop();
  }

  async #keys(): Promise<FeedKeys> {
    const { rows } = await this.platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
    return new FeedKeys(this.platform.namespace, rows[0]?.epoch ?? '');
  }

  /** While it is being restarted there is nothing to take away. */
  async #whileRedisIsThere(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.platform.redis.status === 'ready') {
        throw error;
      }
    }
  }
}

/** Starts the system on these servers, which can also be restarted, or on those that all tests share. */
export async function startModelSystem(servers?: FaultServers): Promise<ModelSystem> {
  const platform = await startPlatform({
    inboxCap,
    followerThreshold,
    streamsMax,
    fanout: false,
    ...(servers === undefined ? {} : { servers: servers.urls }),
  });
  const late = `const now = Date.now; Date.now = () => now() - ${clockBehindMs}`;
  const secondIngest = await platform.spawn('ingest', {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(late)}`,
    TIDELINE_LOG_LEVEL: 'silent',
    TIDELINE_EVENT_LOOP_DELAY_MAX_MS: '0',
  });
  const system = new ModelSystem(
    platform,
    servers,
    [platform.ingest, new HttpClient(secondIngest.ports.http)],
    [platform.feedApi, await platform.startAnotherFeedApi()],
  );
  await system.startFanout();
  return system;
}
