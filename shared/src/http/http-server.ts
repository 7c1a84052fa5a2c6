import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import express, { type Express, type Request, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import { TidelineError } from '../errors.js';
import { type Listening, listen } from '../listen.js';
import type { Logger } from '../logger.js';
import type { HttpMetrics } from '../metrics.js';
import { authenticate, type KeyStore } from './authenticate.js';
import { errorResponse } from './error-response.js';

export interface HttpServerOptions {
  host: string;
  port: number;
  keys: KeyStore;
  /** Open to anybody, without a key. */
  publicRoutes?: Router;
  routes: Router;
  metrics: HttpMetrics;
  logger: Logger;
}

/** Slow senders are cut off: headers and the whole request must arrive in time. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 20_000;
const keepAliveTimeoutMs = 65_000;
/** While closing. */
const idleCheckIntervalMs = 50;

/** The public door: request id, access log and metrics, then authentication, routes, JSON errors. */
export async function startHttpServer(options: HttpServerOptions): Promise<Listening> {
  const server = createServer(createApp(options));
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  const listening = await listen(server, options.host, options.port);
  return {
    port: listening.port,
    async close() {
      // A connection that was busy when closing began would be kept alive once its request is done.
      const closeIdle = setInterval(() => server.closeIdleConnections(), idleCheckIntervalMs);
      await listening.close().finally(() => clearInterval(closeIdle));
    },
  };
}

function createApp({ keys, publicRoutes, routes, metrics, logger }: HttpServerOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  // Routes read the query through `queryOf`, which refuses what this parser would fold.
  app.set('query parser', false);
  app.use(observe(metrics, logger));
  app.use(helmet());
  if (publicRoutes !== undefined) {
    app.use(publicRoutes);
  }
  app.use(authenticate(keys));
  app.use(routes);
  app.use(unknownRoute(routes));
  app.use(errorResponse(logger));
  return app;
}

const requestIds = new WeakMap<Request, string>();
const requestIdPattern = /^[A-Za-z0-9_.:-]{1,64}$/;

/** The id that follows a request through logs and Kafka: the caller's X-Request-Id where it is a plain word. */
export function requestIdOf(request: Request): string {
  return requestIds.get(request) ?? '';
}

function observe(metrics: HttpMetrics, logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    requestIds.set(request, requestId);
    response.set('X-Request-Id', requestId);
    response.on('close', () => {
      const seconds = (performance.now() - startedAt) / 1000;
      const route = routeOf(request);
      metrics.requestServed(route, request.method, response.statusCode, seconds);
      logger.debug(
        { requestId, method: request.method, route, status: response.statusCode, ms: Math.round(seconds * 1000) },
        'request',
      );
    });
    next();
  };
}

/** The template of the route, which keeps the label's values few. */
function routeOf(request: Request): string {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : 'unknown';
}

/** 404, or 405 with `Allow` where the path has routes of other methods. */
function unknownRoute(routes: Router): RequestHandler {
  const layers = routes.stack as unknown as {
    match(path: string): boolean;
    route?: { methods: Record<string, boolean> };
  }[];
  return (request, response) => {
    const methods = layers
      .filter((layer) => layer.match(request.path))
      .flatMap((layer) => Object.keys(layer.route?.methods ?? {}))
      .map((method) => method.toUpperCase());
    if (methods.length === 0) {
      throw new TidelineError('not_found', 'There is no such route.');
    }
    response.set('Allow', methods.join(', '));
    throw new TidelineError('method_not_allowed', `This route takes ${methods.join(' and ')}.`);
  };
}
