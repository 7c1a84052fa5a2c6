import { describedRoutes, servedRoutes } from '@tideline/testing/documents';
import { expect, test } from 'vitest';
import { PublicLinks } from './public-links.js';
import { createApi } from './routes.js';

/** The contract of feed-api. */
const contract = [
  'get /api/feeds/pull/',
  'get /api/feeds/push/',
  'get /feed',
  'get /feed/friends',
  'get /feed/my',
  'get /feed/stream',
  'get /me',
  'get /v1/activities/{id}',
  'get /v1/activities/{id}/fanout',
  'get /v1/feeds/home',
  'get /v1/feeds/home/stream',
  'get /v1/feeds/notifications',
  'get /v1/feeds/notifications/stream',
  'get /v1/stats/activities',
  'get /v1/users/{id}',
  'get /v1/users/{id}/feed',
  'get /v1/users/{id}/followers',
  'get /v1/users/{id}/following',
  'post /v1/feeds/notifications/read',
  'post /v1/feeds/notifications/seen',
  'post /v1/stream-tickets',
];

test('every route of the contract is served and documented, and nothing else is', async () => {
  const api = createApi(
    {} as Parameters<typeof createApi>[0],
    {} as Parameters<typeof createApi>[1],
    new PublicLinks(undefined),
  );
  const { routes, faults } = await describedRoutes(api);
  expect(faults).toEqual([]);
  expect(servedRoutes(api)).toEqual(contract);
  expect(routes).toEqual(contract);
});
