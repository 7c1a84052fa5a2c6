import { Api } from '@tideline/shared/http/api';
import { addActivityRoutes } from './activity-routes.js';
import { addCompatibilityRoutes } from './compatibility-routes.js';
import { addFollowRoutes } from './follow-routes.js';
import { addObjectRoutes } from './object-routes.js';
import { addRelationRoutes } from './relation-routes.js';
import { addUserRoutes } from './user-routes.js';

type RouteTools = Parameters<typeof addActivityRoutes>[1] &
  Parameters<typeof addFollowRoutes>[1] &
  Parameters<typeof addRelationRoutes>[1] &
  Parameters<typeof addUserRoutes>[1] &
  Parameters<typeof addObjectRoutes>[1] &
  Parameters<typeof addCompatibilityRoutes>[1];

export const documentDescription = {
  title: 'Tideline ingest',
  description:
    'Where activities, follows and descriptions are written. What is answered with 202 is durable. Where the outcome is unknown (503 `outcome_unknown`), repeat the call: with the same `foreignId` or `Idempotency-Key` nothing is doubled.',
};

/** All routes of ingest, in one router: how else could it be said that a path exists but not for this method? */
export function createApi(tools: RouteTools): Api {
  const api = new Api();
  addActivityRoutes(api, tools);
  addFollowRoutes(api, tools);
  addRelationRoutes(api, tools);
  addUserRoutes(api, tools);
  addObjectRoutes(api, tools);
  addCompatibilityRoutes(api, tools);
  return api;
}
