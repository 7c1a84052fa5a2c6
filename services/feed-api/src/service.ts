import { requireAgreement } from '@tideline/shared/agreed-settings';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { onceDatabaseIsUp, openDatabase } from '@tideline/shared/database';
import { DatabaseProbe } from '@tideline/shared/database-probe';
import { documentRoutes } from '@tideline/shared/http/document-routes';
import { startHttpServer } from '@tideline/shared/http/http-server';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { createRegistry, httpMetrics } from '@tideline/shared/metrics';
import { startOperationsServer } from '@tideline/shared/operations-server';
import type { Service } from '@tideline/shared/run-service';
import { activitiesTopic } from '@tideline/shared/topics';
import type { FeedApiConfig } from './config.js';
import { CursorCodec } from './feed/cursor.js';
import { PullCache } from './feed/pull-cache.js';
import { PublicLinks } from './http/public-links.js';
import { createApi, documentDescription } from './http/routes.js';
import { BodyStore } from './inbox/body-store.js';
import { ListReader } from './inbox/list-reader.js';
import { ListRebuilder } from './inbox/list-rebuilder.js';
import { NameStore } from './inbox/name-store.js';
import { RegisterStore } from './inbox/register-store.js';
import { TitleStore } from './inbox/title-store.js';
import { TombstoneStore } from './inbox/tombstone-store.js';
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
    await requireAgreement(database, { inboxCap: config.inboxCap });
  }, logger);
  const cursors = new CursorCodec(await readCursorKey(database));
  await cache.start();
  const rebuilder = new ListRebuilder({
    lists: new ListReader(cache, config.inboxCap),
    database,
    inboxCap: config.inboxCap,
    metrics,
    logger,
  });
  const registers = new RegisterStore(cache, metrics);
  const tombstones = new TombstoneStore(cache, metrics);
  const api = createApi(
    {
      database,
      cache,
      registers,
      tombstones,
      bodies: new BodyStore(cache, metrics),
      names: new NameStore(cache),
      titles: new TitleStore(cache),
      pullCache: new PullCache({ cache, registers, tombstones, metrics }, config.pullCacheMs),
      rebuilder,
      cursors,
      inboxCap: config.inboxCap,
      metrics,
    },
    new PublicLinks(config.publicUrl),
  );
  const http = await startHttpServer({
    config,
    database,
    publicRoutes: documentRoutes(api, documentDescription),
    routes: api.router,
    metrics: httpMetrics(registry),
    logger,
  });
  listening = true;
  probe.start();

  return {
    httpPort: http.port,
    operationsPort: operations.port,
    settled: () => rebuilder.settled(),
    async stop() {
      operations.drain();
      await http.close();
      await rebuilder.stop();
      probe.stop();
      await cache.close();
      await database.$pool.end();
      await operations.close();
    },
  };
}
