import { userIdSchema } from '@tideline/shared/activity';
import { isActivityId } from '@tideline/shared/activity-id';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import { actingAs, callingUser, type Principal, principalOf, requireScope } from '@tideline/shared/http/authenticate';
import { validate } from '@tideline/shared/http/validate';
import { type Request, type Response, Router } from 'express';
import type { FeedTools } from '../feed/feed-tools.js';
import { readActivity } from '../feed/read-activity.js';
import { type FeedPage, readHomeFeed, readUserFeed } from '../feed/read-feed.js';
import { homeQuery, noQuery, pageQuery } from './feed-query.js';

/** The routes of feed-api. Each reads as somebody: the user of the key, or the one that a service names. */
export function feedRoutes(tools: FeedTools): Router {
  const routes = Router({ caseSensitive: true, strict: true });

  routes.get('/v1/feeds/home', async (request, response) => {
    const reader = callingUser(request, reading(request));
    const { strategy, ...page } = homeQuery(request.url);
    sendPage(response, await readHomeFeed(tools, reader, strategy, page));
  });

  routes.get('/v1/users/:id/feed', async (request, response) => {
    const reader = readerOf(request);
    const author = validate(userIdSchema, request.params.id, 'user id');
    sendPage(response, await readUserFeed(tools, author, reader, pageQuery(request.url)));
  });

  routes.get('/v1/activities/:id', async (request, response) => {
    const reader = readerOf(request);
    noQuery(request.url);
    const { id } = request.params;
    if (!isActivityId(id)) {
      throw invalidRequest('This is not an activity id.');
    }
    const item = await readActivity(tools, reader, id);
    if (item === undefined) {
      throw new TidelineError('not_found', 'There is no such activity.');
    }
    response.json(item);
  });

  return routes;
}

/** What a service reads for nobody in particular is what everybody may see. No user has this name. */
const anybody = '';

function readerOf(request: Request): string {
  const principal = reading(request);
  return actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : anybody);
}

function reading(request: Request): Principal {
  const principal = principalOf(request);
  requireScope(principal, 'read');
  return principal;
}

function sendPage(response: Response, { degraded, ...page }: FeedPage): void {
  if (degraded) {
    response.set('X-Tideline-Degraded', 'redis');
  }
  response.set('Cache-Control', 'private, no-cache').json(page);
}
