import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError, unavailable } from '@tideline/shared/errors';

const requestTimeoutMs = 30_000;
const retryDelayFirstMs = 250;
const retryDelayMaxMs = 10_000;
/** Without any success. */
const givingUpAfterMs = 5 * 60_000;

export interface IngestClient {
  /**
   * Sends JSON and returns the answer's. Where ingest is away or busy it tries again, for minutes: only for requests
   * that may be repeated. Throws `invalid_request` for what ingest refuses, with its reasons as `details`.
   */
  send(method: 'POST' | 'PUT', path: string, body: string): Promise<unknown>;
}

export interface IngestClientOptions {
  url: string;
  key: string;
  /** Ends waiting between attempts; a request under way is finished. */
  signal: AbortSignal;
  /** Told why it has to wait, once per request. */
  onRetry(reason: string): void;
}

/** Something that may pass: `retryAfterMs` where the server said when. */
interface Failure {
  reason: string;
  retryAfterMs: number | undefined;
}

export function ingestClient({ url, key, signal, onRetry }: IngestClientOptions): IngestClient {
  const headers = { 'content-type': 'application/json', 'x-app-key': key };
  return {
    async send(method, path, body) {
      const deadline = performance.now() + givingUpAfterMs;
      for (let attempt = 0; ; attempt += 1) {
        signal.throwIfAborted();
        const outcome = await attemptRequest(new URL(path, url), { method, body, headers });
        if ('answer' in outcome) {
          return outcome.answer;
        }
        if (performance.now() > deadline) {
          throw unavailable(`${url} did not take it for ${givingUpAfterMs / 60_000} minutes: ${outcome.reason}`);
        }
        if (attempt === 0) {
          onRetry(outcome.reason);
        }
        const backoffMs = Math.min(retryDelayFirstMs * 2 ** attempt, retryDelayMaxMs);
        await delay(Math.max(backoffMs, outcome.retryAfterMs ?? 0), undefined, { signal });
      }
    },
  };
}

/** 429 and 503 say so themselves; the rest are gateways in between. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);

async function attemptRequest(url: URL, request: RequestInit): Promise<{ answer: unknown } | Failure> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(requestTimeoutMs) });
    text = await response.text();
  } catch (error) {
    const { message, cause } = error as Error;
    return { reason: (cause as Error | undefined)?.message || message, retryAfterMs: undefined };
  }
  if (response.ok) {
    return { answer: JSON.parse(text) };
  }
  if (passing.has(response.status)) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const reason = errorOf(text)?.message ?? `status ${response.status}`;
    return { reason, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined };
  }
  throw refusal(url, response.status, text);
}

function refusal(url: URL, status: number, text: string): TidelineError {
  const error = errorOf(text);
  const message = `${url.pathname} was refused (${status}): ${error?.message ?? text.slice(0, 200)}`;
  return new TidelineError('invalid_request', message, { details: error?.details });
}

function errorOf(text: string): { message: string; details?: unknown } | undefined {
  try {
    return (JSON.parse(text) as { error?: { message: string; details?: unknown } }).error;
  } catch {
    return undefined;
  }
}
