import { activityIdSchema, activityLimits } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';
import type { Api } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import type { Principal } from '@tideline/shared/http/principal';
import { requestIdOf } from '@tideline/shared/http/request-log';
import type { Request } from 'express';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { markNotifications, readNotifications } from '../feed/read-notifications.js';
import type { Mark, Marker } from '../storage/notification-marks.js';
import { aggregateSchema, aggregationNote, pageQuery } from './feed-query.js';
import { itemSchema } from './items.js';
import { pageBody, pageReply, pageReplyHeaders, pageSchema } from './page-reply.js';
import type { PublicLinks } from './public-links.js';

const markedMax = 100;
const bodySizeMaxBytes = 16 * 1024;

export const countsShape = {
  unseen: z.int().meta({ description: 'How many notifications the caller marked neither seen nor read' }),
  unread: z.int().meta({ description: 'How many the caller did not mark as read' }),
};

export const notificationSchema = itemSchema
  .extend({ seen: z.boolean(), read: z.boolean() })
  .meta({ id: 'Notification' });
const notificationPageSchema = pageSchema(notificationSchema, 'Notifications')
  .extend(countsShape)
  .meta({ id: 'NotificationPage' });
const countsSchema = z.strictObject(countsShape).meta({ id: 'NotificationCounts' });

const markSchema = z
  .union([
    z.strictObject({
      upTo: activityIdSchema
        .refine((id) => timestampOf(id) <= Date.now() + activityLimits.futureSkewMaxMs, 'must not be in the future')
        .meta({ description: 'This one and all older ones, also those that are delivered later' }),
    }),
    z.strictObject({ ids: z.array(activityIdSchema).min(1).max(markedMax) }),
  ])
  .meta({ id: 'MarkedNotifications' });

const whatNotifies =
  'Likes, shares and comments on what belongs to the caller, activities that have the caller in `to`, and follows of the caller, as long as they stand. Not what the caller did, and nothing of whom the caller muted or a block is with.';

export function addNotificationRoutes(api: Api, tools: FeedTools, links: PublicLinks): void {
  api.add(
    {
      method: 'get',
      path: '/v1/feeds/notifications',
      tag: 'Notifications',
      summary: 'What others did that concerns the caller',
      description: `${whatNotifies} \`unseen\` and \`unread\` count all of them, not just the page.\n\n${aggregationNote} A group is seen or read when its newest activity is; its others are counted all the same.`,
      scope: 'read',
      query: pageQuery.extend({ aggregate: aggregateSchema }),
      replies: {
        200: { description: 'A page, newest first', schema: notificationPageSchema, headers: pageReplyHeaders },
      },
      errors: ['invalid_cursor'],
      etag: true,
    },
    async ({ principal, query: { aggregate, ...page }, request }) => {
      const read = await readNotifications(tools, callingUser(request, principal), aggregate, page);
      const { unseen, unread } = read;
      return pageReply(request, links, read, { ...pageBody(request, links, read), unseen, unread });
    },
  );

  addMarkRoute('seen', 'Marks notifications as seen');
  addMarkRoute('read', 'Marks notifications as read, and so as seen');

  function addMarkRoute(mark: Mark, summary: string): void {
    api.add(
      {
        method: 'post',
        path: `/v1/feeds/notifications/${mark}`,
        tag: 'Notifications',
        summary,
        description:
          'Marks stay, and marking again changes nothing, so that this can be repeated. What is not a notification of the caller is passed over.',
        scope: 'write',
        body: { schema: markSchema, what: 'body', sizeMaxBytes: bodySizeMaxBytes },
        replies: { 200: { description: 'Marked; what is left', schema: countsSchema } },
      },
      async ({ principal, body, request }) => ({
        status: 200,
        body: await markNotifications(tools, markerOf(request, principal), mark, body),
      }),
    );
  }
}

function markerOf(request: Request, principal: Principal): Marker {
  return { reader: callingUser(request, principal), requestId: requestIdOf(request) };
}
