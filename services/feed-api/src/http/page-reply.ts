import type { Reply } from '@tideline/shared/http/api';
import type { Request } from 'express';
import { z } from 'zod';
import type { Page } from '../feed/page.js';
import type { PublicLinks } from './public-links.js';

const cursorSchema = z.string().nullable();
const linkSchema = z.url().nullable();

/** How a page says where it stands (D3). */
export const pagingSchema = z
  .strictObject({
    cursors: z
      .strictObject({ before: cursorSchema, after: cursorSchema })
      .meta({ description: 'Of the first item and of the last; null where the page is empty' }),
    previous: linkSchema.meta({ description: 'The page above; null where nothing more is known there' }),
    next: linkSchema.meta({ description: 'The page below; null at the end' }),
  })
  .meta({ id: 'Paging' });

export type Paging = z.infer<typeof pagingSchema>;

/** The schema of a page of these items; `id` names it in the document. */
export function pageSchema<Item extends z.ZodType>(item: Item, id: string) {
  return z
    .strictObject({
      items: z.array(item),
      nextCursor: cursorSchema.meta({ description: 'null at the end' }),
      hasMore: z.boolean(),
      paging: pagingSchema,
    })
    .meta({ id });
}

export const pageReplyHeaders = {
  'X-Tideline-Degraded': 'Present where Redis was away, so that the page came from SQL alone',
};

/** What every page is answered with. */
export function pageReply(
  request: Request,
  links: PublicLinks,
  page: Page<unknown> & { degraded?: boolean },
  body: unknown = pageBody(request, links, page),
): Reply {
  const degraded = page.degraded === true ? { 'X-Tideline-Degraded': 'redis' } : {};
  return { status: 200, headers: { 'Cache-Control': 'private, no-cache', ...degraded }, body };
}

/** The page protocol in JSON. */
export function pageBody(request: Request, links: PublicLinks, page: Page<unknown>) {
  return {
    items: page.items,
    nextCursor: page.next,
    hasMore: page.next !== null,
    paging: pagingOf(request, links, page),
  };
}

/** Links to the pages beside this one, of the route that is being read. */
export function pagingOf(
  request: Request,
  links: PublicLinks,
  { before, after, previous, next }: Page<unknown>,
): Paging {
  const link = (cursor: string | null) => (cursor === null ? null : links.page(request, cursor));
  return { cursors: { before, after }, previous: link(previous), next: link(next) };
}
