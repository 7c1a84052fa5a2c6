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
  too_many_streams: 429,
  headers_too_large: 431,
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

const errorCodes = new WeakMap<Response, string>();

/** The code of the error that a request was answered with, for the log. */
export function errorCodeOf(response: Response): string | undefined {
  return errorCodes.get(response);
}

/** Answers every error as JSON. `challenges` are the ways to authenticate here, as WWW-Authenticate names them. */
export function errorResponse(logger: Logger, challenges: readonly string[] = ['X-App-Key']): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    const meant = known(error);
    if (meant === undefined) {
      const requestId = response.get('X-Request-Id');
      logger.error({ err: error, requestId }, 'unexpected error while answering a request');
    }
    if (response.headersSent) {
      // An answer that began cannot become another one: its reader sees that it does not end as it should.
      response.destroy();
      return;
    }
    if (meant?.code === 'unauthenticated') {
      response.set('WWW-Authenticate', challenges.join(', '));
    }
    answerError(response, meant);
  };
}

/** Answers with an error; undefined for one that says nothing to outsiders. */
export function answerError(response: Response, error: TidelineError | undefined): void {
  const body = errorBody(error);
  errorCodes.set(response, body.error.code);
  if (error === undefined) {
    response.status(500).json(body);
    return;
  }
  const status = statuses[error.code];
  if (status === 408) {
    response.set('Connection', 'close');
  }
  if (retryStatuses.has(status)) {
    response.set('Retry-After', String(error.retryAfterS ?? retryAfterDefaultS));
  }
  response.status(status).json(body);
}

export function errorBody(error: TidelineError | undefined) {
  if (error === undefined) {
    return { error: { code: 'internal', message: 'Something went wrong here; it was logged.' } };
  }
  const { code, message, details } = error;
  return { error: { code, message, ...(details === undefined ? {} : { details }) } };
}

function known(error: unknown): TidelineError | undefined {
  if (error instanceof TidelineError) {
    return error;
  }
  // What the router throws for a path that cannot be decoded carries a status.
  const { status } = error as { status?: unknown };
  if (status === 400) {
    return new TidelineError('invalid_request', 'The request cannot be read.');
  }
  return undefined;
}
