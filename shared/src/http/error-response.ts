import type { ErrorRequestHandler, Response } from 'express';
import type { ErrorCode } from '../errors.js';
import { TidelineError } from '../errors.js';
import type { Logger } from '../logger.js';

/** The one place that knows HTTP statuses of errors. */
const statuses: Record<ErrorCode, number> = {
  invalid_request: 400,
  invalid_cursor: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timeout: 408,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  over_quota: 429,
  not_implemented: 501,
  overloaded: 503,
  unavailable: 503,
  outcome_unknown: 503,
  configuration: 500,
  fenced: 500,
  cache_refused: 503,
};

export function statusOf(code: ErrorCode): number {
  return statuses[code];
}

/** These are worth another try, after a second unless the error knows better. */
const retryStatuses: ReadonlySet<number> = new Set([409, 429, 503]);
const retryAfterDefaultS = 1;

export function errorResponse(logger: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    send(response, known(error) ?? unexpected(error, logger));
  };
}

function send(response: Response, error: TidelineError | undefined): void {
  if (error === undefined) {
    response.status(500).json({ error: { code: 'internal', message: 'Something went wrong here; it was logged.' } });
    return;
  }
  const status = statuses[error.code];
  if (status === 401) {
    response.set('WWW-Authenticate', 'X-App-Key');
  }
  if (retryStatuses.has(status)) {
    response.set('Retry-After', String(error.retryAfterS ?? retryAfterDefaultS));
  }
  const { code, message, details } = error;
  response.status(status).json({ error: { code, message, ...(details === undefined ? {} : { details }) } });
}

function known(error: unknown): TidelineError | undefined {
  if (error instanceof TidelineError) {
    return error;
  }
  // What body-parser and the router throw carries a status and a type.
  const { type, status } = error as { type?: unknown; status?: unknown };
  if (type === 'entity.too.large') {
    return new TidelineError('payload_too_large', 'The body is too large.');
  }
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
    return new TidelineError(
      'unsupported_media_type',
      'The body must be UTF-8, as it is or compressed with gzip, deflate or br.',
    );
  }
  if (status === 400) {
    return new TidelineError('invalid_request', 'The request cannot be read.');
  }
  return undefined;
}

function unexpected(error: unknown, logger: Logger): undefined {
  logger.error({ err: error }, 'unexpected error while answering a request');
  return undefined;
}
