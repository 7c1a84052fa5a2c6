import type { Reply } from '@tideline/shared/http/api';
import type { Request } from 'express';
import { z } from 'zod';
import { vocabularyUrl } from './activity-vocabulary.js';

/** Which format a reader asked for, and what the document says of them. */

const activityJson = 'application/activity+json';
const linkedDataJson = 'application/ld+json';
/** The first is for those who take anything. */
const offered = ['application/json', activityJson, `${linkedDataJson}; profile="${vocabularyUrl}"`];

/** The reply in plain JSON, unless the reader prefers Activity Streams by `Accept`. */
export function negotiated(request: Request, plain: Reply, activityStreams: () => unknown): Reply {
  const headers = { ...plain.headers, Vary: 'Accept' };
  const accepted = request.accepts(offered);
  return accepted === false || accepted === offered[0]
    ? { ...plain, headers }
    : { ...plain, headers, contentType: accepted, body: activityStreams() };
}

/** The same schema under both names that the format has. */
export function activityStreamsContent(schema: z.ZodType): Record<string, z.ZodType> {
  return { [activityJson]: schema, [linkedDataJson]: schema };
}

export const negotiationNote =
  'With `Accept: application/activity+json` in the format of W3C Activity Streams 2.0. The verb and the types of objects are kept as `verb` and `objectType`, which the context defines; metadata is left out.';

export const negotiationHeaders = { Vary: '`Accept`' };

const iri = z.url();
const contextSchema = z.array(z.union([z.url(), z.record(z.string(), z.string())]));

const objectShape = {
  id: iri,
  type: z.string(),
  objectType: z.string(),
  name: z.string().optional(),
};

const objectSchema = z.strictObject(objectShape).meta({ id: 'ActivityStreamsObject' });

const personSchema = z
  .strictObject({
    id: iri,
    type: z.literal('Person'),
    name: z.string(),
    icon: z.strictObject({ type: z.literal('Image'), url: iri }).optional(),
  })
  .meta({ id: 'ActivityStreamsPerson' });

const activityShape = {
  id: iri,
  type: z.string().meta({ description: 'Of the Activity Vocabulary; `Activity` for a verb that it does not have' }),
  verb: z.string(),
  actor: z
    .union([personSchema, z.array(personSchema)])
    .meta({ description: 'Several where the item is a group: who did it last first, up to 10' }),
  object: z.strictObject({ ...objectShape, inReplyTo: z.union([iri, objectSchema]).optional() }),
  target: objectSchema.optional(),
  to: iri.optional().meta({ description: 'The public collection; absent where the activity is for some only' }),
  published: z.iso.datetime(),
};

export const activityStreamsActivitySchema = z
  .strictObject({ '@context': contextSchema, ...activityShape })
  .meta({ id: 'ActivityStreamsActivity' });

export const activityStreamsPageSchema = z
  .strictObject({
    '@context': contextSchema,
    id: iri,
    type: z.literal('OrderedCollectionPage'),
    partOf: z.strictObject({ id: iri, type: z.literal('OrderedCollection'), first: iri }),
    prev: iri.optional(),
    next: iri.optional(),
    orderedItems: z.array(z.strictObject(activityShape)),
  })
  .meta({ id: 'ActivityStreamsPage' });
