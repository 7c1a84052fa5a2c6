import { Router } from 'express';
import { addActivityRoutes } from './activity-routes.js';
import { addFollowRoutes } from './follow-routes.js';
import { addUserRoutes } from './user-routes.js';

type RouteTools = Parameters<typeof addActivityRoutes>[1] &
  Parameters<typeof addFollowRoutes>[1] &
  Parameters<typeof addUserRoutes>[1];

/** All routes of ingest, in one router: how else could it be said that a path exists but not for this method? */
export function createRoutes(tools: RouteTools): Router {
  const router = Router();
  addActivityRoutes(router, tools);
  addFollowRoutes(router, tools);
  addUserRoutes(router, tools);
  return router;
}
