import { userIdSchema } from '@tideline/shared/activity';
import type { Api, Reply } from '@tideline/shared/http/api';
import { notImplemented } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { type FeedPage, readHomeFeed, readUserFeed } from '../feed/read-feed.js';
import { pageQuery } from './feed-query.js';
import { itemSchema } from './items.js';
import { readerOf } from './reading.js';

const feedPageSchema = z
  .strictObject({
    items: z.array(itemSchema),
    nextCursor: z.string().nullable().meta({ description: 'null at the end' }),
    hasMore: z.boolean(),
  })
  .meta({ id: 'FeedPage' });

const homeQuery = pageQuery.extend({
  strategy: z.enum(['hybrid', 'push', 'pull', 'materialized']).default('hybrid'),
  aggregate: z.enum(['true', 'false']).default('false'),
});

const replyHeaders = { 'X-Tideline-Degraded': 'Present where Redis was away, so that the page came from SQL alone' };

export function addFeedRoutes(api: Api, tools: FeedTools): void {
  api.add(
    {
      method: 'get',
      path: '/v1/feeds/home',
      tag: 'Feeds',
      summary: "The caller's home feed",
      description: '`strategy=materialized` and `aggregate=true` are not built yet and answer 501.',
      scope: 'read',
      query: homeQuery,
      replies: { 200: { description: 'A page, newest first', schema: feedPageSchema, headers: replyHeaders } },
      errors: ['invalid_cursor', 'not_implemented'],
      etag: true,
    },
    async ({ principal, query, request }) => {
      const reader = callingUser(request, principal);
      const { strategy, aggregate, ...page } = query;
      if (strategy === 'materialized' || aggregate === 'true') {
        throw notImplemented('strategy=materialized and aggregate=true');
      }
      return pageReply(await readHomeFeed(tools, reader, strategy, page));
    },
  );

  api.add(
    {
      method: 'get',
      path: '/v1/users/{id}/feed',
      tag: 'Feeds',
      summary: 'What a user did in public',
      scope: 'read',
      params: z.strictObject({ id: userIdSchema }),
      query: pageQuery,
      replies: { 200: { description: 'A page, newest first', schema: feedPageSchema, headers: replyHeaders } },
      errors: ['invalid_cursor', 'not_found'],
      etag: true,
    },
    async ({ principal, params, query, request }) =>
      pageReply(await readUserFeed(tools, params.id, readerOf(request, principal), query)),
  );
}

function pageReply({ degraded, ...page }: FeedPage): Reply {
  return {
    status: 200,
    headers: { 'Cache-Control': 'private, no-cache', ...(degraded ? { 'X-Tideline-Degraded': 'redis' } : {}) },
    body: page,
  };
}
