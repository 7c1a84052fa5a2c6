import type { Api } from '@tideline/shared/http/api';
import { callingUser, type TicketCheck } from '@tideline/shared/http/authenticate';
import { validate } from '@tideline/shared/http/validate';
import type { Request } from 'express';
import { z } from 'zod';
import type { LiveEventName, LiveFeed, LiveHub } from '../live/live-client.js';
import { positionLengthMax } from '../live/live-position.js';
import { itemSchema } from './items.js';
import { countsShape, notificationSchema } from './notification-routes.js';
import { type OpenStreams, streamsOfUserMax } from './open-streams.js';
import type { StreamTickets } from './stream-tickets.js';

export interface StreamTools {
  hub: LiveHub;
  streams: OpenStreams;
  tickets: StreamTickets;
}

const paths = {
  home: '/v1/feeds/home/stream',
  compatibleHome: '/feed/stream',
  notifications: '/v1/feeds/notifications/stream',
};

const positionSchema = z
  .string()
  .regex(new RegExp(`^[A-Za-z0-9._:-]{1,${positionLengthMax}}$`), 'must be the id of an event')
  .optional();

const streamQuery = z.strictObject({
  lastEventId: positionSchema.meta({
    description: 'As `Last-Event-ID`, which goes before, for who cannot send headers',
  }),
  ticket: z
    .string()
    .optional()
    .meta({ description: 'From `POST /v1/stream-tickets`, instead of a key, for who cannot send headers' }),
});

const streamHeaders = z.object({
  'Last-Event-ID': positionSchema.meta({ description: 'The stream goes on after this event, or begins with `resync`' }),
});

const eventsOf: Record<LiveFeed, Record<LiveEventName, z.ZodType>> = {
  home: {
    activity: itemSchema,
    delete: z.strictObject({ id: z.uuid() }),
    resync: z.strictObject({}),
  },
  notifications: {
    activity: notificationSchema.extend(countsShape).meta({ id: 'LiveNotification' }),
    delete: z.strictObject({ id: z.uuid(), ...countsShape }),
    resync: z.strictObject({}),
  },
};

const streamNote =
  'Every delivery comes once, and goes on coming once to whoever opens again with `Last-Event-ID`; where that cannot be ' +
  'known any more, `resync` says to read the feed anew. A comment comes every 15 s. An `EventSource` does all of this, but ' +
  'gives up where it is answered with an error. A stream ends after an hour, and when its reader does not keep up; a ' +
  `user has at most ${streamsOfUserMax} in one process.`;

export function addStreamRoutes(api: Api, tools: StreamTools): void {
  addStream(paths.home, 'Feeds', 'home', "The caller's home feed as it happens");
  addStream(paths.compatibleHome, 'Compatibility', 'home', "The caller's home feed as it happens");
  addStream(paths.notifications, 'Notifications', 'notifications', "The caller's notifications as they happen");
  addTickets(api, tools.tickets);

  function addStream(path: string, tag: string, feed: LiveFeed, summary: string): void {
    api.addEventStream(
      {
        path,
        tag,
        summary,
        description: streamNote,
        query: streamQuery,
        headers: streamHeaders,
        events: eventsOf[feed],
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

function addTickets(api: Api, tickets: StreamTickets): void {
  api.add(
    {
      method: 'post',
      path: '/v1/stream-tickets',
      tag: 'Feeds',
      summary: 'A ticket that opens streams',
      description: 'For an `EventSource`, which cannot send headers: `?ticket=` opens streams of the caller for 60 s.',
      scope: 'read',
      replies: {
        201: {
          description: 'The ticket',
          schema: z
            .strictObject({ ticket: z.string(), expiresAt: z.int().meta({ description: 'Unix milliseconds' }) })
            .meta({ id: 'StreamTicket' }),
        },
      },
    },
    async ({ principal, request }) => ({
      status: 201,
      headers: { 'Cache-Control': 'no-store' },
      body: tickets.mint(callingUser(request, principal)),
    }),
  );
}

/** Tickets open streams and nothing else: elsewhere nobody looks at them. */
export function ticketCheck(tickets: StreamTickets): TicketCheck {
  const taking = new Set(Object.values(paths));
  return {
    ticketOf({ method, path, url }) {
      const query = url.slice(url.indexOf('?') + 1);
      const ticket = method === 'GET' && taking.has(path) ? new URLSearchParams(query).get('ticket') : null;
      return ticket === null || ticket === '' ? undefined : ticket;
    },
    principalOf(ticket) {
      const userId = tickets.userOf(ticket);
      return userId === undefined ? undefined : { kind: 'user', name: userId, userId };
    },
  };
}
