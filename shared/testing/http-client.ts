import type { FeedItem } from '@tideline/shared/activity';
import { type Contract, readContract } from './contract.js';
import { EventStreamClient } from './event-stream-client.js';

export interface RequestOptions {
  /** Sent as JSON. */
  body?: unknown;
  key?: string;
  /** The user that a service key acts as. */
  actAs?: string;
  headers?: Record<string, string>;
}

export interface HttpAnswer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

/** One page as feed-api answers it. */
export interface PageBody<Item = FeedItem> {
  items: Item[];
  nextCursor: string | null;
  hasMore: boolean;
  paging: {
    cursors: { before: string | null; after: string | null };
    previous: string | null;
    next: string | null;
  };
}

const serviceKey = 'demo-producer';
/** No walk through a feed is longer. */
const pagesMax = 20_000;

/**
 * Calls a service as a client would, with the demo service key unless told otherwise. An answer that the service's own
 * document does not describe is an error.
 */
export class HttpClient {
  readonly origin: string;
  #contract: Promise<Contract> | undefined;

  constructor(port: number) {
    this.origin = `http://127.0.0.1:${port}`;
  }

  async request<Body>(method: string, path: string, options: RequestOptions = {}): Promise<HttpAnswer<Body>> {
    const { body } = options;
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headersOf(options) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type');
    const answer = {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : isJson(contentType) ? JSON.parse(text) : text) as Body,
    };
    this.#contract ??= readContract(this.origin);
    (await this.#contract).check(method, path, { ...answer, contentType });
    return answer;
  }

  /** Like `request`, but fails unless the status is a success. */
  async succeed<Body>(method: string, path: string, options: RequestOptions = {}): Promise<Body> {
    const { status, body } = await this.request<Body>(method, path, options);
    if (status >= 300) {
      throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    }
    return body;
  }

  /** Opens a stream of events and goes on reading it, wherever it is lost, until it is closed. */
  stream(path: string, options: Omit<RequestOptions, 'body'> = {}, lastEventId?: string): EventStreamClient {
    this.#contract ??= readContract(this.origin);
    return new EventStreamClient({
      origin: this.origin,
      path,
      headers: headersOf(options),
      lastEventId,
      contract: this.#contract,
    });
  }

  /** Walks a feed from its first page to its last and returns all items, as they are now: none of what was kept. */
  async walk(path: string, reader: string, limit: number, query: Record<string, string> = {}): Promise<FeedItem[]> {
    const items: FeedItem[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < pagesMax; page += 1) {
      const parameters = new URLSearchParams({
        ...query,
        limit: String(limit),
        ...(cursor === null ? {} : { cursor }),
      });
      const options = { actAs: reader, headers: { 'cache-control': 'no-cache' } };
      const body: PageBody = await this.succeed<PageBody>('GET', `${path}?${parameters}`, options);
      items.push(...body.items);
      if (body.nextCursor === null) {
        return items;
      }
      cursor = body.nextCursor;
    }
    throw new Error(`${path} does not end`);
  }
}

function headersOf({ key = serviceKey, actAs, headers }: RequestOptions): Record<string, string> {
  return { 'x-app-key': key, ...(actAs === undefined ? {} : { 'x-act-as': actAs }), ...headers };
}

function isJson(contentType: string | null): boolean {
  return contentType !== null && /^application\/(\w+\+)?json\b/.test(contentType);
}
