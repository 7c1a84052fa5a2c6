import { createHash } from 'node:crypto';
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import type { ErrorCode } from '../errors.js';
import { principalOf, requireScope, requireService } from './authenticate.js';
import { jsonBody } from './json-body.js';
import type { Principal, Scope } from './principal.js';
import { queryOf, validate } from './validate.js';

/**
 * The routes of a service, each with its document: what is served is what is documented, because both come from one
 * definition. Schemas validate requests here and describe them in `openapi.ts`; tests hold every response against them.
 */

export type Method = 'get' | 'post' | 'put' | 'delete';

export interface BodyDefinition<Body extends z.ZodType> {
  schema: Body;
  /** Names it in messages: "The activity is not valid." */
  what: string;
  sizeMaxBytes: number;
}

export interface ReplyDefinition {
  description: string;
  /** Of `application/json`; absent: no body. */
  schema?: z.ZodType;
  /** Schemas of other content types that the route can answer with, by content type. */
  otherContent?: Record<string, z.ZodType>;
  /** Response headers, with what they say. */
  headers?: Record<string, string>;
}

/** A body that is read while it arrives, and answered while it is read. */
export interface StreamDefinition {
  contentType: string;
  description: string;
  reply: { status: number; description: string };
  middleware: readonly RequestHandler[];
  handle(call: StreamCall): Promise<void>;
}

export interface OperationDefinition<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Batch extends z.ZodType = z.ZodType,
> {
  method: Method;
  /** As OpenAPI writes it: `/v1/users/{id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** What the caller's key must allow. */
  scope: Scope;
  /** True where user keys are refused. */
  servicesOnly?: boolean;
  params?: Params;
  /** Other parameters, repeated ones and empty ones are refused, on routes without a query too. */
  query?: Query;
  /** Request headers that the route reads itself, for its document. */
  headers?: z.ZodObject;
  body?: BodyDefinition<Body>;
  /** Where the route takes an array as well as one. */
  batch?: BodyDefinition<Batch>;
  stream?: StreamDefinition;
  /** Of a route that answers a stream of events (`addEventStream`): the data of each, as JSON, by its name. */
  events?: Record<string, z.ZodType>;
  /** By status. */
  replies: Record<number, ReplyDefinition>;
  /** Errors besides those that every route of its kind may answer. */
  errors?: readonly ErrorCode[];
  /** True where replies carry an ETag, and 304 answers a reader who has the same already. */
  etag?: boolean;
}

interface StreamCall {
  principal: Principal;
  request: Request;
  response: Response;
}

/** A request that passed everything its definition asks for. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  principal: Principal;
  params: Params;
  query: Query;
  body: Body;
  request: Request;
}

export interface Reply {
  status: number;
  /** `application/json` unless said otherwise. */
  contentType?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export type Handler<Params = unknown, Query = unknown, Body = unknown> = (
  call: Call<Params, Query, Body>,
) => Promise<Reply>;

/** A request for a stream of events: its handler writes the answer, and what it throws before that is answered. */
export interface EventStreamCall<Query = unknown> {
  principal: Principal;
  query: Query;
  request: Request;
  response: Response;
}

export type EventStreamDefinition<Query extends z.ZodObject> = Pick<
  OperationDefinition<z.ZodObject, Query>,
  'path' | 'tag' | 'summary' | 'description' | 'headers' | 'errors'
> & { query: Query; events: Record<string, z.ZodType> };

export const eventStreamType = 'text/event-stream';

const nothing = z.strictObject({});

export class Api {
  readonly router: Router = Router({ caseSensitive: true, strict: true });
  readonly #operations: OperationDefinition[] = [];

  get operations(): readonly OperationDefinition[] {
    return this.#operations;
  }

  add<
    Params extends z.ZodObject = typeof nothing,
    Query extends z.ZodObject = typeof nothing,
    Body extends z.ZodType = z.ZodUndefined,
    Batch extends z.ZodType = z.ZodNever,
  >(
    definition: OperationDefinition<Params, Query, Body, Batch>,
    handler: Handler<z.output<Params>, z.output<Query>, z.output<Body> | z.output<Batch>>,
  ): void {
    const { method, path, scope, servicesOnly = false, stream, body, batch } = definition;
    this.#operations.push(definition);
    const checks = [mayCall(scope, servicesOnly), knownQuery(definition.query ?? nothing)];
    const answer: RequestHandler = async (request, response) => {
      const call = {
        principal: principalOf(request),
        params: validate(definition.params ?? nothing, request.params, 'path'),
        query: validate(definition.query ?? nothing, queryOf(request.url), 'query'),
        body: bodyOf(request, definition),
        request,
      } as Call<z.output<Params>, z.output<Query>, z.output<Body> | z.output<Batch>>;
      send(definition, request, response, await handler(call));
    };
    const parsers = body === undefined ? [] : jsonBody(body.sizeMaxBytes, batch?.sizeMaxBytes);
    const streaming = stream === undefined ? [] : [streamed(stream)];
    this.router[method](expressPath(path), ...checks, ...streaming, ...parsers, answer);
  }

  /** A route whose answer goes on for as long as the client likes: server-sent events. HEAD gets the head alone. */
  addEventStream<Query extends z.ZodObject>(
    definition: EventStreamDefinition<Query>,
    handler: (call: EventStreamCall<z.output<Query>>) => Promise<void>,
  ): void {
    const { path, query } = definition;
    this.#operations.push({ ...definition, method: 'get', scope: 'read', replies: {} });
    this.router.get(expressPath(path), mayCall('read', false), async (request, response) => {
      const wanted = validate(query, queryOf(request.url), 'query');
      if (request.method === 'HEAD') {
        response.type(eventStreamType).end();
        return;
      }
      await handler({ principal: principalOf(request), query: wanted, request, response });
    });
  }
}

/** Express writes `{id}` as `:id`. */
export function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

/** Before a body is read: whoever may not call should not be able to send megabytes. */
function mayCall(scope: Scope, servicesOnly: boolean): RequestHandler {
  return (request, _response, next) => {
    (servicesOnly ? requireService : requireScope)(principalOf(request), scope);
    next();
  };
}

function knownQuery(query: z.ZodObject): RequestHandler {
  return (request, _response, next) => {
    validate(query, queryOf(request.url), 'query');
    next();
  };
}

/** One or many have schemas of their own, so that messages name the wrong place and not just "neither". */
function bodyOf(request: Request, { body, batch }: OperationDefinition): unknown {
  const definition = Array.isArray(request.body) ? (batch ?? body) : body;
  return definition && validate(definition.schema, request.body, definition.what);
}

function streamed({ contentType, middleware, handle }: StreamDefinition): RequestHandler {
  return async (request, response, next) => {
    const [type = ''] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
    if (type.trim() !== contentType) {
      next();
      return;
    }
    for (const check of middleware) {
      await new Promise<void>((resolve, reject) => {
        void check(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error as Error)));
      });
    }
    await handle({ principal: principalOf(request), request, response });
  };
}

function send({ etag }: OperationDefinition, request: Request, response: Response, reply: Reply): void {
  const { status, contentType = 'application/json', headers: { Vary: varies, ...headers } = {}, body } = reply;
  response.status(status).set(headers);
  if (varies !== undefined) {
    // Added, because the answer may vary by what others look at too: CORS looks at Origin.
    response.vary(varies);
  }
  if (body === undefined) {
    response.end();
    return;
  }
  const text = JSON.stringify(body);
  if (etag === true) {
    response.set('ETag', `"${createHash('sha1').update(contentType).update(text).digest('base64url')}"`);
    // `fresh` looks at If-None-Match, and at Cache-Control: no-cache, with which a client asks for the whole answer.
    if (request.fresh) {
      response.status(304).end();
      return;
    }
  }
  response.type(contentType).send(text);
}
