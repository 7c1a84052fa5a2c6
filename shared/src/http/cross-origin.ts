import cors from 'cors';
import type { RequestHandler } from 'express';

const preflightMaxAgeS = 600;

/** Lets scripts of these origins call from browsers, and answers their preflights, which carry no key. */
export function crossOrigin(origins: readonly string[]): RequestHandler {
  const allow = cors({
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: [
      'X-App-Key',
      'X-Act-As',
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'Prefer',
      'Last-Event-ID',
      'If-None-Match',
      'Cache-Control',
    ],
    exposedHeaders: [
      'X-Request-Id',
      'ETag',
      'Retry-After',
      'Preference-Applied',
      'Idempotency-Replayed',
      'X-Tideline-Degraded',
    ],
    maxAge: preflightMaxAgeS,
  });
  return (request, response, next) => {
    const isPlainOptions =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] === undefined;
    if (origins.length === 0 || isPlainOptions) {
      next();
    } else {
      allow(request, response, next);
    }
  };
}
