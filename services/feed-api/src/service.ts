import { parseAggregationRules } from '@tideline/shared/aggregation-rules';
import { requireAgreement } from '@tideline/shared/agreed-settings';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { onceDatabaseIsUp, openDatabase } from '@tideline/shared/database';
import { DatabaseProbe } from '@tideline/shared/database-probe';
import { everyLog, liveChannel } from '@tideline/shared/feed-keys';
import { documentRoutes } from '@tideline/shared/http/document-routes';
import { startHttpServer } from '@tideline/shared/http/http-server';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { createRegistry, httpMetrics } from '@tideline/shared/metrics';
import { startOperationsServer } from '@tideline/shared/operations-server';
import { RetentionHorizon } from '@tideline/shared/retention-horizon';
import type { Service } from '@tideline/shared/run-service';
import { activitiesTopic } from '@tideline/shared/topics';
import type { FeedApiConfig } from './config.js';
import { CursorCodec } from './feed/cursor.js';
import type { FeedTools } from './feed/feed-tools.js';
import { Grouping } from './feed/groups.js';
import { PullCache } from './feed/pull-cache.js';
import { OpenStreams } from './http/open-streams.js';
import { PublicLinks } from './http/public-links.js';
import { createApi, documentDescription } from './http/routes.js';
import { ticketCheck } from './http/stream-routes.js';
import { StreamTickets } from './http/stream-tickets.js';
import { BodyStore } from './inbox/body-store.js';
import { ListReader } from './inbox/list-reader.js';
import { ListRebuilder } from './inbox/list-rebuilder.js';
import { NameStore } from './inbox/name-store.js';
import { RegisterStore } from './inbox/register-store.js';
import { TitleStore } from './inbox/title-store.js';
import { TombstoneStore } from './inbox/tombstone-store.js';
import { ProcessLiveHub } from './live/live-hub.js';
import { LiveLog } from './live/live-log.js';
import { WakeUps } from './live/wake-ups.js';
import { feedApiMetrics } from './metrics.js';
import { readCursorKey } from './storage/cursor-key.js';

const databasePoolSize = 16;

export interface FeedApiService extends Service {
  httpPort: number;
  operationsPort: number;
  /** Waits until no list is being rebuilt. */
  settled(): Promise<void>;
}

/** Starts feed-api. Throws `configuration` where set-up did not run. */
export async function startFeedApi(config: FeedApiConfig): Promise<FeedApiService> {
  const logger = createLogger('feed-api', config.logLevel);
  const registry = createRegistry('feed-api');
  const metrics = feedApiMetrics(registry);
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-feed-api',
    role: 'tideline_feed_api',
    poolSize: databasePoolSize,
    logger,
  });
  const probe = new DatabaseProbe(database);
  const cache = new Cache({
    url: config.redisUrl,
    namespace: config.namespace,
    epochs: cacheEpochStore(database),
    logger,
  });

  let listening = false;
  const operations = await startOperationsServer({
    host: config.listenHost,
    port: config.operationsPort,
    registry,
    readiness: () => {
      if (!listening) {
        return 'starting';
      }
      // Without Redis it is slower, says so in a header, and does its job.
      return probe.isUp ? undefined : 'the database is not available';
    },
  });

  await onceDatabaseIsUp(async () => {
    await readLogGeneration(database, activitiesTopic(config.namespace));
    await requireAgreement(database, { inboxCap: config.inboxCap, aggregation: config.aggregation });
  }, logger);
  const secret = await readCursorKey(database);
  const horizon = new RetentionHorizon(database);
  await horizon.refresh();
  horizon.start();
  const cursors = new CursorCodec(secret);
  await cache.start();
  const rebuilder = new ListRebuilder({
    lists: new ListReader(cache, config.inboxCap),
    database,
    horizon,
    inboxCap: config.inboxCap,
    metrics,
    logger,
  });
  const registers = new RegisterStore(cache, metrics);
  const tombstones = new TombstoneStore(cache, metrics);
  const tools: FeedTools = {
    database,
    horizon,
    cache,
    registers,
    tombstones,
    bodies: new BodyStore(cache, metrics),
    names: new NameStore(cache),
    titles: new TitleStore(cache),
    pullCache: new PullCache({ cache, registers, tombstones, metrics }, config.pullCacheMs),
    rebuilder,
    cursors,
    grouping: new Grouping(parseAggregationRules(config.aggregation)),
    inboxCap: config.inboxCap,
    metrics,
  };
  const streams = new OpenStreams(config.streamsMax, metrics);
  const hub = new ProcessLiveHub({ tools, log: new LiveLog(cache), logger });
  const wakeUps = new WakeUps({
    redisUrl: config.redisUrl,
    channel: liveChannel(config.namespace),
    logger,
    onMessage: (place) => (place === everyLog ? hub.wakeAll() : hub.wake(place === 'pulled' ? place : Number(place))),
    onListening: () => hub.wakeAll(),
    onKeyGone(key, end) {
      const meaning = cache.isOpen() ? cache.keys.meaningOf(key) : undefined;
      if (meaning !== undefined) {
        metrics.keyGone(meaning.kind, end);
        if (meaning.kind !== 'body') {
          hub.listLost(meaning.userId, meaning.kind);
        }
      }
    },
  });
  const tickets = new StreamTickets(secret);
  const api = createApi(tools, { hub, streams, tickets }, new PublicLinks(config.publicUrl));
  const http = await startHttpServer({
    config,
    database,
    publicRoutes: documentRoutes(api, documentDescription),
    routes: api.router,
    tickets: ticketCheck(tickets),
    metrics: httpMetrics(registry),
    logger,
  });
  listening = true;
  probe.start();
  hub.start();
  wakeUps.start();

  return {
    httpPort: http.port,
    operationsPort: operations.port,
    settled: () => rebuilder.settled(),
    async stop() {
      operations.drain();
      // The door closes once nobody is in it any more, and streams would not end by themselves.
      streams.close();
      await http.close();
      wakeUps.close();
      await hub.close();
      await rebuilder.stop();
      await horizon.stop();
      probe.stop();
      await cache.close();
      await database.$pool.end();
      await operations.close();
    },
  };
}
