import type { Api } from '@tideline/shared/http/api';

/** What the contract has and this service has not yet. */
export function addLaterRoutes(api: Api): void {
  const tag = 'Not built yet';
  api.addLater({ method: 'get', path: '/v1/stats/activities', tag, summary: 'Counts of activities over time' });
}
