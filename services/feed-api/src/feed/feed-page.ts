import type { FeedItem } from '@tideline/shared/activity';
import type { UserName } from '@tideline/shared/user-names';
import type { Page, PageRequest } from './page.js';

/** `goAround`: nothing that was kept for a moment may be shown, the client asked for that. */
export interface FeedRequest extends PageRequest {
  goAround: boolean;
}

export interface FeedPage extends Page<FeedItem> {
  /** Ids of those items that are not for everybody. */
  targeted: ReadonlySet<string>;
  /** By id of those items that stand for several activities: who did them, who did it last first, the first 10. */
  groupActors: ReadonlyMap<string, readonly GroupActor[]>;
  /** True where Redis was not available, so that the page came from the database alone. */
  degraded: boolean;
}

export interface GroupActor extends UserName {
  id: string;
}
