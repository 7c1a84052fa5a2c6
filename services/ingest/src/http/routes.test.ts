import { describedRoutes, servedRoutes } from '@tideline/testing/documents';
import { expect, test } from 'vitest';
import { createApi } from './routes.js';

/** The contract of ingest. */
const contract = [
  'delete /follow/{userId}',
  'delete /v1/activities/{id}',
  'delete /v1/blocks/{userId}',
  'delete /v1/follows/{userId}',
  'delete /v1/mutes/{userId}',
  'post /activity',
  'post /follow',
  'post /follow/{userId}',
  'post /post',
  'post /unfollow',
  'post /v1/activities',
  'post /v1/follows',
  'put /v1/blocks/{userId}',
  'put /v1/follows/{userId}',
  'put /v1/mutes/{userId}',
  'put /v1/objects/{type}/{id}',
  'put /v1/users/{id}',
];

test('every route of the contract is served and documented, and nothing else is', async () => {
  const api = createApi({} as Parameters<typeof createApi>[0]);
  const { routes, faults } = await describedRoutes(api);
  expect(faults).toEqual([]);
  expect(servedRoutes(api)).toEqual(contract);
  expect(routes).toEqual(contract);
});
