/**
 * The one family of errors that Tideline throws on purpose.
 *
 * `code` is stable and public, `retryable` says whether the same call may succeed later without a change, and `cause`
 * keeps what was caught. HTTP statuses are given in `http/error-response.ts` alone.
 */
export type ErrorCode =
  | 'invalid_request'
  | 'invalid_cursor'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'headers_too_large'
  | 'timeout'
  | 'conflict'
  | 'idempotency_mismatch'
  | 'over_quota'
  | 'too_many_streams'
  | 'overloaded'
  | 'unavailable'
  | 'outcome_unknown'
  | 'configuration'
  | 'fenced'
  | 'cache_refused';

interface ErrorOptionsWithDetails {
  cause?: unknown;
  details?: unknown;
  /** After so many seconds the same call is worth another try; whole seconds, at least 1. */
  retryAfterS?: number;
}

export class TidelineError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: unknown;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithDetails & { retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TidelineError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
    this.retryAfterS = options.retryAfterS;
  }
}

export function invalidRequest(message: string, details?: unknown): TidelineError {
  return new TidelineError('invalid_request', message, { details });
}

/** A server that Tideline needs does not answer. Nothing was done. */
export function unavailable(message: string, cause?: unknown): TidelineError {
  return new TidelineError('unavailable', message, { retryable: true, cause });
}

/** A write that may or may not have happened: the caller repeats it with the same id or `foreignId`. */
export function outcomeUnknown(message: string, options: ErrorOptionsWithDetails): TidelineError {
  return new TidelineError('outcome_unknown', message, { ...options, retryable: true });
}

/** Another consumer owns the partition by now (I2): whatever this one still holds must not be written. */
export function fenced(message: string): TidelineError {
  return new TidelineError('fenced', message);
}

/** Redis refused a script because the cache epoch or a fence is missing or another one (I6): reload, then try again. */
export function cacheRefused(message: string, cause?: unknown): TidelineError {
  return new TidelineError('cache_refused', message, { retryable: true, cause });
}

export function isTidelineError(error: unknown, code: ErrorCode): error is TidelineError {
  return error instanceof TidelineError && error.code === code;
}

/** What the work gives, or undefined where a server it needs cannot be used at present: for what can be done without. */
export async function unlessUnavailable<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isTidelineError(error, 'unavailable') || isTidelineError(error, 'cache_refused')) {
      return undefined;
    }
    throw error;
  }
}
