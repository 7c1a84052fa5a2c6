import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { keyPrefix } from '../api-key.js';
import type { Logger } from '../logger.js';
import type { HttpMetrics } from '../metrics.js';
import { callerOf } from './authenticate.js';
import { errorCodeOf } from './error-response.js';

const requestIds = new WeakMap<Request, string>();
const requestIdPattern = /^[A-Za-z0-9_.:-]{1,64}$/;

/** The id that follows a request through logs and Kafka: the caller's X-Request-Id where it is a plain word. */
export function requestIdOf(request: Request): string {
  return requestIds.get(request) ?? '';
}

const countings = new WeakMap<Response, () => void>();

/** For an answer that goes on for as long as the client likes: what is measured of the request ends where that begins. */
export function countAtOnce(response: Response): void {
  countings.get(response)?.();
}

/** Counts every request, and logs one line of it: who, what and how it ended; no secrets, no bodies, no queries. */
export function observe(metrics: HttpMetrics, logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const given = request.headers['x-request-id'];
    const requestId = isRequestId(given) ? given : randomUUID();
    requestIds.set(request, requestId);
    response.set('X-Request-Id', requestId);
    const count = () => {
      countings.delete(response);
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.requestServed(routeOf(request), request.method, response.statusCode, seconds);
    };
    countings.set(response, count);
    response.on('close', () => {
      countings.get(response)?.();
      const route = routeOf(request);
      const { method } = request;
      const { statusCode: status } = response;
      const ms = Math.round((performance.now() - startedAt) * 10) / 10;
      const principal = callerOf(request);
      logger.info({ requestId, principal, method, route, status, code: errorCodeOf(response), ms }, 'request');
    });
    next();
  };
}

/** It is logged and goes to Kafka: what looks like a key is none, wherever it was put by mistake. */
function isRequestId(given: unknown): given is string {
  return typeof given === 'string' && requestIdPattern.test(given) && !given.startsWith(keyPrefix);
}

/** The template of the route, which keeps the label's values few. */
function routeOf(request: Request): string {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : 'unknown';
}
