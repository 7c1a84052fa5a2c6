import { createServer } from 'node:http';
import express, { type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import type { Database } from '../database.js';
import type { DoorConfig } from '../door-settings.js';
import { invalidRequest } from '../errors.js';
import { type Listening, listen } from '../listen.js';
import type { Logger } from '../logger.js';
import type { HttpMetrics } from '../metrics.js';
import { addressOf, authenticate, type Guards, type TicketCheck } from './authenticate.js';
import { answerClientErrors } from './client-errors.js';
import { crossOrigin } from './cross-origin.js';
import { errorResponse } from './error-response.js';
import { tokenCheck } from './json-web-tokens.js';
import { keyStore } from './key-store.js';
import { answerOptions, unknownRoute } from './known-routes.js';
import { type OverloadGuard, overloadGuard } from './overload.js';
import { overQuota, Quotas } from './quotas.js';
import { observe } from './request-log.js';
import { limitBodyTime } from './slow-senders.js';

export interface HttpServerOptions {
  config: {
    listenHost: string;
    httpPort: number;
    redisUrl: string;
    namespace: string;
    demo: boolean;
    door: DoorConfig;
  };
  /** Has the keys. */
  database: Database;
  /** Open to anybody, without a key. */
  publicRoutes?: Router;
  routes: Router;
  tickets?: TicketCheck;
  metrics: HttpMetrics;
  logger: Logger;
}

/** Bodies have times of their own: `slow-senders.ts`. */
const headersTimeoutMs = 10_000;
const headersCheckIntervalMs = 1_000;
const keepAliveTimeoutMs = 65_000;
/** While closing. */
const idleCheckIntervalMs = 50;

/** The public door: request id, access log and metrics, then who is calling and how often, routes, JSON errors. */
export async function startHttpServer(options: HttpServerOptions): Promise<Listening> {
  const { config, database, logger } = options;
  const { door, redisUrl, namespace } = config;
  const guards: Guards = {
    keys: keyStore(database, config.demo),
    tokens: door.tokens === undefined ? undefined : tokenCheck(door.tokens),
    quotas: new Quotas({ redisUrl, namespace, limits: door.quotas }),
    tickets: options.tickets,
  };
  const overload = overloadGuard(door.eventLoopDelayMaxMs);
  const server = createServer(
    // A request without Host would be refused without a body: here it is, as all others, in JSON.
    { connectionsCheckingInterval: headersCheckIntervalMs, requireHostHeader: false },
    createApp(options, guards, overload),
  );
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = 0;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  answerClientErrors(server, logger);
  const listening = await listen(server, config.listenHost, config.httpPort);
  guards.quotas.start();
  return {
    port: listening.port,
    async close() {
      // A connection that was busy when closing began would be kept alive once its request is done.
      const closeIdle = setInterval(() => server.closeIdleConnections(), idleCheckIntervalMs);
      await listening.close().finally(() => clearInterval(closeIdle));
      guards.quotas.close();
      overload.stop();
    },
  };
}

function createApp(options: HttpServerOptions, guards: Guards, overload: OverloadGuard): Express {
  const { config, publicRoutes = express.Router(), routes, metrics, logger } = options;
  const { tokens, trustedProxies, corsOrigins } = config.door;
  const routers = [routes, publicRoutes];
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', trustedProxies);
  // Routes read the query through `queryOf`, which refuses what this parser would fold.
  app.set('query parser', false);
  app.use(observe(metrics, logger));
  app.use(limitBodyTime);
  app.use(strictHeaders);
  app.use(overload.refuse);
  app.use(requireHost);
  app.use(crossOrigin(corsOrigins));
  app.use(openTo(publicRoutes, guards));
  app.use(authenticate(guards));
  app.use(answerOptions(routers));
  app.use(routes);
  // For callers who are known, while strangers at their address are kept from them.
  app.use(publicRoutes);
  app.use(unknownRoute(routers));
  app.use(errorResponse(logger, ['X-App-Key', ...(tokens === undefined ? [] : ['Bearer realm="tideline"'])]));
  return app;
}

/** JSON loads nothing. Routes that answer pages bring a policy of their own. */
const strictHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
  },
});

const requireHost: RequestHandler = (request, _response, next) => {
  if (request.headers.host === undefined && request.httpVersion !== '1.0') {
    throw invalidRequest('The request has no Host.');
  }
  next();
};

const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** What anybody may read, as often as the quota of their address allows. */
function openTo(publicRoutes: Router, { quotas, tickets }: Guards): RequestHandler {
  return (request, response, next) => {
    const address = addressOf(request);
    if (quotas.isExhausted(address)) {
      const { authorization, 'x-app-key': key } = request.headers;
      const isStranger = authorization === undefined && key === undefined && tickets?.ticketOf(request) === undefined;
      next(isStranger ? overQuota() : undefined);
      return;
    }
    if (!readingMethods.has(request.method)) {
      next();
      return;
    }
    const count = () => void quotas.countStranger(address).catch(() => undefined);
    response.once('close', count);
    publicRoutes(request, response, (error?: unknown) => {
      response.off('close', count);
      next(error);
    });
  };
}
