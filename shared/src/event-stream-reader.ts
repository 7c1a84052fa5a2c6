import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError, unavailable } from './errors.js';

/** The client's side of streams of events: what an `EventSource` does in browsers, with headers. */

export interface ReceivedEvent {
  event: string;
  /** What to come back with to go on after it. */
  id: string;
  data: string;
}

export interface EventStreamOptions {
  url: string;
  headers: Record<string, string>;
  /** Where to begin; without it, now. */
  lastEventId?: string;
  /** Ends reading. */
  signal: AbortSignal;
  /** It stands, again or for the first time. `cut` breaks the connection, as a network would. */
  onOpen?(cut: () => void): void;
  /** It does not stand any more, or not yet, and will be opened again. */
  onLost?(reason: string): void;
}

/** Three heartbeats. */
const silenceMaxMs = 45_000;
const errorTextMax = 1_000;
const retryDelayDefaultMs = 1_000;
const retryDelayMaxMs = 10_000;
/** Of these, all others being the caller's mistake, the same request may succeed later. */
const passing: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/**
 * Reads a stream until `signal` aborts it, and opens it again where it was lost, after its last event. Throws
 * `invalid_request` with the server's words where it is refused for good.
 */
export async function* readEventStream(options: EventStreamOptions): AsyncGenerator<ReceivedEvent> {
  const { signal } = options;
  const parser = new EventParser(options.lastEventId);
  for (let failures = 0; !signal.aborted; failures += 1) {
    const lost: Lost = yield* readOnce(options, parser);
    if (lost.hadBegun) {
      failures = 0;
    }
    if (!signal.aborted) {
      options.onLost?.(lost.reason);
      const backoffMs = Math.min(parser.retryMs * 2 ** failures, retryDelayMaxMs);
      await delay(Math.max(backoffMs, lost.retryAfterMs), undefined, { signal }).catch(() => undefined);
    }
  }
}

interface Lost {
  reason: string;
  hadBegun: boolean;
  retryAfterMs: number;
}

async function* readOnce(options: EventStreamOptions, parser: EventParser): AsyncGenerator<ReceivedEvent, Lost> {
  let hadBegun = false;
  try {
    const response = await open(options, parser.lastEventId);
    hadBegun = true;
    options.onOpen?.(() => response.destroy(new Error('cut off')));
    parser.begin();
    for await (const chunk of response.setEncoding('utf8')) {
      yield* parser.push(String(chunk));
    }
    return { reason: 'the stream ended', hadBegun, retryAfterMs: 0 };
  } catch (error) {
    if (error instanceof TidelineError && !error.retryable) {
      throw error;
    }
    const retryAfterMs = error instanceof TidelineError ? (error.retryAfterS ?? 0) * 1_000 : 0;
    return { reason: (error as Error).message, hadBegun, retryAfterMs };
  }
}

function open({ url, headers, signal }: EventStreamOptions, lastEventId: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https:') ? httpsGet : httpGet;
    const request = get(url, {
      // A connection of its own: it is not given back.
      agent: false,
      headers: {
        accept: 'text/event-stream',
        ...headers,
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
      signal,
    });
    request.setTimeout(silenceMaxMs, () => request.destroy(new Error('nothing was heard for too long')));
    request.on('error', reject);
    request.on('response', (response) => {
      if (response.statusCode === 200) {
        resolve(response);
      } else {
        refusalOf(response).then(reject, reject);
      }
    });
  });
}

async function refusalOf(response: IncomingMessage): Promise<TidelineError> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text = (text + String(chunk)).slice(0, errorTextMax);
  }
  const { statusCode: status = 0 } = response;
  const message = `the stream was refused (${status}): ${/"message":"([^"]*)"/.exec(text)?.[1] ?? text}`;
  if (!passing.has(status)) {
    return new TidelineError('invalid_request', message);
  }
  const retryAfterS = Number(response.headers['retry-after']);
  return Number.isFinite(retryAfterS)
    ? new TidelineError('unavailable', message, { retryable: true, retryAfterS })
    : unavailable(message);
}

/** Text as it comes, to events. Blocks without data have none, but may say where the stream stands. */
export class EventParser {
  #lastEventId: string | undefined;
  #retryMs = retryDelayDefaultMs;
  #rest = '';
  #block: { id?: string; event?: string; data: string[] } = { data: [] };

  constructor(lastEventId?: string) {
    this.#lastEventId = lastEventId;
  }

  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  get retryMs(): number {
    return this.#retryMs;
  }

  /** For a new connection: what the last one did not finish is sent again. */
  begin(): void {
    this.#rest = '';
    this.#block = { data: [] };
  }

  push(chunk: string): ReceivedEvent[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#take(line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  #take(line: string): ReceivedEvent[] {
    if (line === '') {
      return this.#complete();
    }
    const colon = line.indexOf(':');
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    switch (colon === -1 ? line : line.slice(0, colon)) {
      case 'id':
        this.#block.id = value;
        break;
      case 'event':
        this.#block.event = value;
        break;
      case 'data':
        this.#block.data.push(value);
        break;
      case 'retry':
        this.#retryMs = /^\d+$/.test(value) ? Math.min(Number(value), retryDelayMaxMs) : this.#retryMs;
        break;
    }
    return [];
  }

  #complete(): ReceivedEvent[] {
    const { id, event = 'message', data } = this.#block;
    this.#block = { data: [] };
    this.#lastEventId = id ?? this.#lastEventId;
    return data.length === 0 ? [] : [{ event, id: this.#lastEventId ?? '', data: data.join('\n') }];
  }
}
