import { userIdSchema } from '@tideline/shared/activity';
import type { Api, Reply } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import type { Request } from 'express';
import { z } from 'zod';
import type { FeedPage } from '../feed/feed-page.js';
import type { FeedTools } from '../feed/feed-tools.js';
import { readHomeFeed, readUserFeed } from '../feed/read-feed.js';
import { activityStreamsPage } from './activity-streams.js';
import {
  activityStreamsContent,
  activityStreamsPageSchema,
  negotiated,
  negotiationHeaders,
  negotiationNote,
} from './activity-streams-reply.js';
import { aggregateSchema, aggregationNote, goAroundHeader, goesAround, pageQuery } from './feed-query.js';
import { feedPageSchema } from './items.js';
import { pageReply, pageReplyHeaders } from './page-reply.js';
import type { PublicLinks } from './public-links.js';
import { readerOf } from './reading.js';

/** What both feeds answer. */
const feedReplies = {
  200: {
    description: 'A page, newest first',
    schema: feedPageSchema,
    otherContent: activityStreamsContent(activityStreamsPageSchema),
    headers: { ...pageReplyHeaders, ...negotiationHeaders },
  },
};

const homeQuery = pageQuery.extend({
  strategy: z.enum(['hybrid', 'push', 'pull', 'materialized']).default('hybrid'),
  aggregate: aggregateSchema,
});

export function addFeedRoutes(api: Api, tools: FeedTools, links: PublicLinks): void {
  api.add(
    {
      method: 'get',
      path: '/v1/feeds/home',
      tag: 'Feeds',
      summary: "The caller's home feed",
      description: `${aggregationNote}\n\n${negotiationNote}`,
      scope: 'read',
      query: homeQuery,
      headers: goAroundHeader,
      replies: feedReplies,
      errors: ['invalid_cursor'],
      etag: true,
    },
    async ({ principal, query, request }) => {
      const reader = callingUser(request, principal);
      const { strategy, aggregate, ...page } = query;
      const wanted = { ...page, goAround: goesAround(request) };
      return feedReply(request, links, await readHomeFeed(tools, reader, { strategy, aggregate }, wanted));
    },
  );

  api.add(
    {
      method: 'get',
      path: '/v1/users/{id}/feed',
      tag: 'Feeds',
      summary: 'What a user did in public',
      description: `Empty where the caller muted the user, or a block is between the two.\n\n${negotiationNote}`,
      scope: 'read',
      params: z.strictObject({ id: userIdSchema }),
      query: pageQuery,
      replies: feedReplies,
      errors: ['invalid_cursor', 'not_found'],
      etag: true,
    },
    async ({ principal, params, query, request }) =>
      feedReply(request, links, await readUserFeed(tools, params.id, readerOf(request, principal), query)),
  );
}

function feedReply(request: Request, links: PublicLinks, page: FeedPage): Reply {
  return negotiated(request, pageReply(request, links, page), () => activityStreamsPage(request, links, page));
}
