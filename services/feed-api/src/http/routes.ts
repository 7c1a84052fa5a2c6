import { Api } from '@tideline/shared/http/api';
import type { FeedTools } from '../feed/feed-tools.js';
import { addActivityRoutes } from './activity-routes.js';
import { addCompatibilityRoutes } from './compatibility-routes.js';
import { addFeedRoutes } from './feed-routes.js';
import { addMeRoutes } from './me-routes.js';
import { addNotificationRoutes } from './notification-routes.js';
import type { PublicLinks } from './public-links.js';
import { addStatsRoutes } from './stats-routes.js';
import { addStreamRoutes, type StreamTools } from './stream-routes.js';
import { addUserRoutes } from './user-routes.js';

export const documentDescription = {
  title: 'Tideline feeds',
  description:
    'Where feeds are read, newest first, page by page. A page leads to the next by `nextCursor`; whatever happens in between, no item is skipped and none repeated.',
};

/** All routes of feed-api, in one router: how else could it be said that a path exists but not for this method? */
export function createApi(tools: FeedTools, streamTools: StreamTools, links: PublicLinks): Api {
  const api = new Api();
  addFeedRoutes(api, tools, links);
  addUserRoutes(api, tools, links);
  addNotificationRoutes(api, tools, links);
  addActivityRoutes(api, tools, links);
  addMeRoutes(api, tools);
  addCompatibilityRoutes(api, tools, links);
  addStreamRoutes(api, streamTools);
  addStatsRoutes(api, tools);
  return api;
}
