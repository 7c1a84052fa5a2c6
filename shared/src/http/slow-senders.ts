import type { Request, RequestHandler } from 'express';
import { TidelineError } from '../errors.js';
import { answerError } from './error-response.js';

/**
 * A connection costs the sender nothing, so how long a body may take has an end: 15 s as a whole, or for a stream 15 s
 * without a byte. Whoever is late gets 408, and the connection is closed.
 */

const bodyTimeMaxMs = 15_000;
const silenceMaxMs = 15_000;
const silenceCheckMs = 1_000;
/** Between the answer and the end of the connection. */
const closeGraceMs = 2_000;

interface Watch {
  timer: NodeJS.Timeout;
  onLate: (error: TidelineError) => void;
}

const watches = new WeakMap<Request, Watch>();

/** Every body has to be complete in 15 s, whether or not somebody reads it. */
export const limitBodyTime: RequestHandler = (request, response, next) => {
  if (hasBody(request)) {
    const watch: Watch = {
      timer: setTimeout(() => endLate(request, watch), bodyTimeMaxMs),
      onLate: () => undefined,
    };
    watches.set(request, watch);
    const release = () => {
      if (request.complete) {
        clearTimeout(watch.timer);
      }
    };
    request.once('end', release);
    response.once('close', release);
  }
  next();
};

/** Calls `onLate` where the body is not complete in time; who reads the body gives up then. */
export function whenLate(request: Request, onLate: (error: TidelineError) => void): void {
  const watch = watches.get(request);
  if (watch !== undefined) {
    watch.onLate = onLate;
  }
}

function endLate(request: Request, watch: Watch): void {
  if (!request.complete) {
    watch.onLate(tooSlow());
    setTimeout(() => closeUnlessComplete(request), closeGraceMs).unref();
  }
}

function closeUnlessComplete(request: Request): void {
  if (!request.complete) {
    request.socket.destroy();
  }
}

/**
 * For a route that reads its body as a stream: instead of an end to the whole, an end to every silence. Who is late
 * gets 408 where no answer has begun; reading the request throws `timeout` either way.
 */
export const requireSteadyBody: RequestHandler = (request, response, next) => {
  const watch = watches.get(request);
  if (watch === undefined) {
    next();
    return;
  }
  clearTimeout(watch.timer);
  let received = request.socket.bytesRead;
  let heardAt = performance.now();
  const checking = setInterval(() => {
    // What waits here to be read is our delay, not the sender's.
    if (request.socket.bytesRead !== received || request.readableLength > 0) {
      received = request.socket.bytesRead;
      heardAt = performance.now();
    } else if (performance.now() - heardAt >= silenceMaxMs) {
      clearInterval(checking);
      cutOff();
    }
  }, silenceCheckMs);
  checking.unref();
  const stop = () => clearInterval(checking);
  request.once('end', stop);
  response.once('close', stop);

  function cutOff(): void {
    if (response.headersSent) {
      request.destroy(tooSlow());
      return;
    }
    response.once('finish', () => request.destroy(tooSlow()));
    answerError(response, tooSlow());
  }
  next();
};

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function tooSlow(): TidelineError {
  return new TidelineError('timeout', 'The body came too slowly.', { retryable: true });
}
