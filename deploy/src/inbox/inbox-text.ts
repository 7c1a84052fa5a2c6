import { lowestActivityId, timestampOf } from '@tideline/shared/activity-id';
import type { ListName } from '@tideline/shared/feed-lists';
import type { SeenList } from './look-at-list.js';

const idsShownMax = 50;
const dayS = 86_400;

/** A list for people: what it is, then its ids, the newest first. */
export function inboxText({ kind, userId }: ListName, seen: SeenList): string {
  const { key, state, ids, sizeBytes, ttlS } = seen;
  const lines = [`${kind} of ${userId}: ${state}${meanings[state]}`, `key       ${key}`];
  if (state === 'ready' || state === 'building') {
    lines.push(
      `length    ${ids.length} ids, ${sizeBytes} bytes`,
      `floor     ${floorText(seen)}`,
      `stays     ${stayText(ttlS)}`,
      '',
      ...ids.slice(0, idsShownMax).map((id) => `${timeOf(id)}  ${id}`),
    );
  }
  if (ids.length > idsShownMax) {
    lines.push(`and ${ids.length - idsShownMax} more (--json has all)`);
  }
  return lines.join('\n');
}

const meanings: Record<SeenList['state'], string> = {
  missing: ', so pages come from the database, and it is built when it is next read',
  building: ', so pages come from the database until that is done',
  ready: '',
  damaged: ': no service writes a list like this. `tideline verify --repair` drops it',
};

function floorText({ floor }: SeenList): string {
  return floor === lowestActivityId
    ? 'none: there is nothing older'
    : `${timeOf(floor)}  ${floor}: older is in the database`;
}

function stayText(ttlS: number | undefined): string {
  if (ttlS === undefined) {
    return 'for ever';
  }
  return ttlS < dayS ? `${ttlS} s` : `${(ttlS / dayS).toFixed(1)} days`;
}

function timeOf(id: string): string {
  return new Date(timestampOf(id)).toISOString().replace('T', ' ').replace('Z', '');
}
