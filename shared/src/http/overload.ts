import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RequestHandler } from 'express';
import { TidelineError } from '../errors.js';

const sampleIntervalMs = 500;
const resolutionMs = 20;
const nanosecondsPerMs = 1e6;

export interface OverloadGuard {
  refuse: RequestHandler;
  stop(): void;
}

/**
 * Turns requests away with `overloaded` while the event loop lags by more than `delayMaxMs` on average over half a
 * second: an answer at once is worth more than one that comes too late. 0: never.
 */
export function overloadGuard(delayMaxMs: number): OverloadGuard {
  const pass: RequestHandler = (_request, _response, next) => next();
  if (delayMaxMs === 0) {
    return { refuse: pass, stop: () => undefined };
  }
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  let overloaded = false;
  const sampling = setInterval(() => {
    // What is measured includes the time between two looks. Without any look the mean is not a number.
    overloaded = delays.mean / nanosecondsPerMs - resolutionMs > delayMaxMs;
    delays.reset();
  }, sampleIntervalMs);
  sampling.unref();
  return {
    refuse: (request, response, next) => {
      if (overloaded) {
        throw new TidelineError('overloaded', 'There is too much to do here at present.', { retryable: true });
      }
      pass(request, response, next);
    },
    stop() {
      clearInterval(sampling);
      delays.disable();
    },
  };
}
