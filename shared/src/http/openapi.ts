import {
  OpenAPIRegistry,
  OpenApiGeneratorV3,
  OpenApiGeneratorV31,
  type RouteConfig,
} from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { userIdSchema } from '../activity.js';
import type { ErrorCode } from '../errors.js';
import { eventStreamType, type OperationDefinition, type ReplyDefinition } from './api.js';
import { statusOf } from './error-response.js';

/** The OpenAPI document of a service, from the definitions that its requests are validated with. */

export interface DocumentDescription {
  title: string;
  /** Markdown. */
  description: string;
}

export interface OpenApiDocuments {
  'openapi.json': object;
  'openapi-3.0.json': object;
}

export const errorSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.string().meta({ description: 'Stable: what programs decide by.' }),
      message: z.string().meta({ description: 'For people.' }),
      details: z.unknown().optional().meta({ description: 'Wrong places of a request, or ids to retry with.' }),
    }),
  })
  .meta({ id: 'Error' });

/** What any route may answer, and those that read a body besides. */
const commonErrors: readonly ErrorCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'over_quota',
  'unavailable',
  'overloaded',
];
const bodyErrors: readonly ErrorCode[] = ['timeout', 'payload_too_large', 'unsupported_media_type'];

const actAsHeader = userIdSchema.optional().meta({
  description: 'The user that a service key acts as. A user key and a token act as their own user.',
});

export function openApiDocuments(
  operations: readonly OperationDefinition[],
  description: DocumentDescription,
): OpenApiDocuments {
  const registry = new OpenAPIRegistry();
  const security = [
    registry.registerComponent('securitySchemes', 'appKey', { type: 'apiKey', in: 'header', name: 'X-App-Key' }),
    registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }),
  ];
  if (operations.some(({ events }) => events !== undefined)) {
    registry.registerComponent('securitySchemes', ticketScheme.name, { type: 'apiKey', in: 'query', name: 'ticket' });
  }
  for (const operation of operations) {
    const opensStream = operation.events !== undefined;
    registry.registerPath({
      ...pathOf(operation),
      ...(opensStream ? { security: alternatives([...security, ticketScheme]) } : {}),
    });
  }
  const document = {
    info: { version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }, ...description },
    servers: [{ url: '/' }],
    security: alternatives(security),
  };
  const { license: _withIdentifier, ...info } = document.info;
  return {
    'openapi.json': new OpenApiGeneratorV31(registry.definitions).generateDocument({ openapi: '3.1.0', ...document }),
    'openapi-3.0.json': new OpenApiGeneratorV3(registry.definitions).generateDocument({
      openapi: '3.0.3',
      ...document,
      info: { ...info, license: { name: 'Apache-2.0' } },
    }),
  };
}

const ticketScheme = { name: 'ticket' };

/** Any one of them is enough. */
function alternatives(schemes: readonly { name: string }[]): Record<string, string[]>[] {
  return schemes.map(({ name }) => ({ [name]: [] }));
}

function pathOf(operation: OperationDefinition): RouteConfig {
  const { method, path, tag, summary, description, scope, servicesOnly, params, query, headers } = operation;
  const needs =
    servicesOnly === true ? `A service key with the scope \`${scope}\`.` : `Service keys need the scope \`${scope}\`.`;
  return {
    method,
    path,
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    description: [description, needs].filter((text) => text !== undefined).join('\n\n'),
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      headers: z.object({ 'X-Act-As': actAsHeader, ...headers?.shape }),
      ...requestBody(operation),
    },
    responses: { ...errorResponses(operation), ...replies(operation) },
  };
}

/** `get /v1/users/{id}/feed` → `getV1UsersIdFeed`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function requestBody({ body, batch, stream }: OperationDefinition) {
  if (body === undefined) {
    return {};
  }
  const schema = batch === undefined ? body.schema : z.union([body.schema, batch.schema]);
  const lines =
    stream === undefined
      ? {}
      : { [stream.contentType]: { schema: { type: 'string' as const, description: stream.description } } };
  return { body: { required: true, content: { 'application/json': { schema }, ...lines } } };
}

function replies({ replies: defined, stream, events, etag }: OperationDefinition): RouteConfig['responses'] {
  const responses: RouteConfig['responses'] = Object.fromEntries(
    Object.entries(defined).map(([status, reply]) => [status, response(reply)]),
  );
  if (stream !== undefined) {
    const { status, description } = stream.reply;
    responses[status] = { description, content: { [stream.contentType]: { schema: { type: 'string' } } } };
  }
  if (events !== undefined) {
    responses[200] = eventStream(events);
  }
  if (etag === true) {
    responses[304] = { description: 'The answer is what If-None-Match names: nothing changed.' };
  }
  return responses;
}

/** OpenAPI 3.1 has no word for a stream of events; the habit is a schema of one event, with its data parsed. */
function eventStream(events: Record<string, z.ZodType>): RouteConfig['responses'][string] {
  const [first, ...others] = Object.entries(events).map(([name, data]) =>
    z.strictObject({ event: z.literal(name), id: z.string(), data }),
  );
  const schema = first === undefined ? z.never() : z.union([first, ...others]);
  return { description: 'Events, one after the other; `data` is JSON', content: { [eventStreamType]: { schema } } };
}

function response({
  description,
  schema,
  otherContent = {},
  headers,
}: ReplyDefinition): RouteConfig['responses'][string] {
  const content = { ...(schema === undefined ? {} : { 'application/json': schema }), ...otherContent };
  return {
    description,
    content: Object.fromEntries(Object.entries(content).map(([type, each]) => [type, { schema: each }])),
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, says]) => [name, { description: says, schema: { type: 'string' } }]),
          ),
        }),
  };
}

/** Errors by status: several codes can share one. */
function errorResponses({ body, errors = [] }: OperationDefinition): RouteConfig['responses'] {
  const codes = [...commonErrors, ...(body === undefined ? [] : bodyErrors), ...errors];
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.map((code) => `\`${code}\``).join(', '),
        content: { 'application/json': { schema: errorSchema } },
      },
    ]),
  );
}
