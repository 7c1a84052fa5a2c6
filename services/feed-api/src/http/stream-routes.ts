import type { Api } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import { validate } from '@tideline/shared/http/validate';
import type { Request } from 'express';
import { z } from 'zod';
import type { LiveFeed, LiveHub } from '../live/live-client.js';
import { itemSchema } from './items.js';
import type { OpenStreams } from './open-streams.js';

export interface StreamTools {
  hub: LiveHub;
  streams: OpenStreams;
}

const positionSchema = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be the id of an event')
  .optional();

const streamQuery = z.strictObject({
  lastEventId: positionSchema.meta({
    description: 'As `Last-Event-ID`, which goes before, for who cannot send headers',
  }),
});

const streamHeaders = z.object({
  'Last-Event-ID': positionSchema.meta({ description: 'The stream goes on after this event, or begins with `resync`' }),
});

const homeEvents = {
  activity: itemSchema,
  delete: z.strictObject({ id: z.uuid() }),
  resync: z.strictObject({}),
};

const streamNote =
  'Every delivery comes once, and goes on coming once to whoever opens again with `Last-Event-ID`; where that cannot be ' +
  'known any more, `resync` says to read the feed anew. A comment comes every 15 s. An `EventSource` does all of this. A ' +
  'stream ends after an hour, and when its reader does not keep up.';

export function addStreamRoutes(api: Api, tools: StreamTools): void {
  addStream('/v1/feeds/home/stream', 'Feeds', 'home', "The caller's home feed as it happens");
  addStream('/feed/stream', 'Compatibility', 'home', "The caller's home feed as it happens");

  function addStream(path: string, tag: string, feed: LiveFeed, summary: string): void {
    api.addEventStream(
      {
        path,
        tag,
        summary,
        description: streamNote,
        query: streamQuery,
        headers: streamHeaders,
        events: homeEvents,
        errors: ['too_many_streams'],
      },
      async ({ principal, query, request, response }) => {
        const reader = callingUser(request, principal);
        const lastEventId = lastEventIdOf(request) ?? query.lastEventId;
        const stream = tools.streams.open(reader, feed, response);
        stream.begin(await tools.hub.open(reader, feed, lastEventId, stream));
      },
    );
  }
}

/** The header is newer than the query: an EventSource that comes back has the same URL as at first. */
function lastEventIdOf({ headers: { 'last-event-id': given } }: Request): string | undefined {
  return given === undefined || given === '' ? undefined : validate(positionSchema, given, 'Last-Event-ID');
}
