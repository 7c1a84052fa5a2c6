import type { Api } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import { z } from 'zod';
import type { Strategy } from '../feed/collector.js';
import type { FeedTools } from '../feed/feed-tools.js';
import { readDeeds } from '../feed/read-deeds.js';
import { readHomeFeed } from '../feed/read-feed.js';
import { aggregationNote, goAroundHeader, goesAround, pageQuery } from './feed-query.js';
import { feedPageSchema } from './items.js';
import { pageReply, pageReplyHeaders } from './page-reply.js';
import type { PublicLinks } from './public-links.js';

const deedSchema = z
  .strictObject({
    actor_name: z.string(),
    verb: z.string(),
    object_id: z.string(),
    object_type: z.string(),
    target_name: z.string().nullable().meta({
      description:
        "The target's title, or the name of who was followed, muted or blocked, or of whom the object belongs to",
    }),
    time: z.iso.datetime({ precision: 3 }),
  })
  .meta({ id: 'Deed' });

const nextUrlSchema = z.url().nullable().meta({ description: 'The next page; null at the end' });
const tag = 'Compatibility';

/** Feeds under the paths and in the shapes of the systems that Tideline takes the place of. */
export function addCompatibilityRoutes(api: Api, tools: FeedTools, links: PublicLinks): void {
  addHomeRoute('/feed', { strategy: 'hybrid', aggregate: true }, "The caller's home feed, aggregated", aggregationNote);
  addHomeRoute('/api/feeds/push/', { strategy: 'push', aggregate: false }, 'The home feed as it was fanned out');
  addHomeRoute('/api/feeds/pull/', { strategy: 'pull', aggregate: false }, 'The home feed by one plain query');
  addDeedsRoute('/feed/my', 'my', 'All that the caller did, follows, mutes and blocks included');
  addDeedsRoute('/feed/friends', 'friends', 'What those did whom the caller follows');

  function addHomeRoute(
    path: string,
    how: { strategy: Strategy; aggregate: boolean },
    summary: string,
    description?: string,
  ): void {
    api.add(
      {
        method: 'get',
        path,
        tag,
        summary,
        ...(description === undefined ? {} : { description }),
        scope: 'read',
        query: pageQuery,
        headers: how.strategy === 'pull' ? goAroundHeader : z.object({}),
        replies: { 200: { description: 'A page, newest first', schema: feedPageSchema, headers: pageReplyHeaders } },
        errors: ['invalid_cursor'],
        etag: true,
      },
      async ({ principal, query, request }) => {
        const wanted = { ...query, goAround: goesAround(request) };
        const page = await readHomeFeed(tools, callingUser(request, principal), how, wanted);
        return pageReply(request, links, page);
      },
    );
  }

  function addDeedsRoute(path: string, name: 'my' | 'friends', summary: string): void {
    const itemsName = `${name}_feed`;
    const schema = z.strictObject({ [itemsName]: z.array(deedSchema), next_url: nextUrlSchema });
    api.add(
      {
        method: 'get',
        path,
        tag,
        summary,
        scope: 'read',
        query: pageQuery,
        headers: goAroundHeader,
        replies: { 200: { description: 'A page, newest first', schema } },
        errors: ['invalid_cursor'],
        etag: true,
      },
      async ({ principal, query, request }) => {
        const wanted = { ...query, goAround: goesAround(request) };
        const page = await readDeeds(tools, name, callingUser(request, principal), wanted);
        const nextUrl = page.next === null ? null : links.page(request, page.next);
        return pageReply(request, links, page, { [itemsName]: page.items, next_url: nextUrl });
      },
    );
  }
}
