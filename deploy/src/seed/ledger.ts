import { TidelineError, unavailable } from '@tideline/shared/errors';
import { z } from 'zod';
import type { IngestClient } from '../import/ingest-client.js';
import type { CrowdSettings } from './crowd-settings.js';

/**
 * The platform itself remembers its crowds: the user `seed-1` posts that the crowd of seed 1 was begun, and that it was
 * finished. So a run knows what is there even where its checkpoint was lost, or on another machine.
 */
export interface Ledger {
  settings: CrowdSettings;
  /** Unix milliseconds: the newest timestamp of the crowd. */
  until: number;
  finished: boolean;
  /** The activity that says so. */
  beganId: string;
}

type Entry = 'began' | 'finished';

export function ledgerUser(seed: number): string {
  return `seed-${seed}`;
}

/** The same entry of the same crowd is the same activity, however often it is posted. Returns its id. */
export async function writeEntry(
  ingest: IngestClient,
  entry: Entry,
  settings: CrowdSettings,
  until: number,
): Promise<string> {
  const user = ledgerUser(settings.seed);
  const activity = {
    actorId: user,
    verb: entry,
    objectType: 'crowd',
    objectId: user,
    metadata: settings,
    foreignId: `${user}-${entry}`,
    timestamp: until,
  };
  return postedSchema.parse(await ingest.send('POST', '/v1/activities', JSON.stringify(activity))).id;
}

const postedSchema = z.object({ id: z.string() });

const settingsSchema = z.object({
  seed: z.number(),
  users: z.number(),
  posts: z.number(),
  likes: z.number(),
  followsPerUser: z.number(),
});

const feedSchema = z.object({
  items: z.array(
    z.object({ id: z.string(), verb: z.string(), timestamp: z.number(), metadata: z.unknown().optional() }),
  ),
});

const readTimeoutMs = 10_000;
/** There are two entries, and two more for each run that was killed between its first two requests. */
const entriesMax = 50;

/** What the platform knows of a crowd; undefined: nothing. Throws where feed-api cannot tell. */
export async function readLedger(feedApiUrl: string, key: string, seed: number): Promise<Ledger | undefined> {
  const { items } = feedSchema.parse(await readFeed(feedApiUrl, key, ledgerUser(seed)));
  const began = items.find(({ verb }) => verb === 'began');
  if (began === undefined) {
    return undefined;
  }
  const finished = items.some(({ verb, timestamp }) => verb === 'finished' && timestamp === began.timestamp);
  return { settings: settingsSchema.parse(began.metadata), until: began.timestamp, finished, beganId: began.id };
}

async function readFeed(feedApiUrl: string, key: string, user: string): Promise<unknown> {
  const url = new URL(`/v1/users/${user}/feed?limit=${entriesMax}`, feedApiUrl);
  let response: Response;
  try {
    response = await fetch(url, { headers: { 'x-app-key': key }, signal: AbortSignal.timeout(readTimeoutMs) });
  } catch (error) {
    throw unavailable(`feed-api at ${feedApiUrl} does not answer, and only it knows what is already there.`, error);
  }
  if (response.status === 404) {
    return { items: [] };
  }
  if (!response.ok) {
    throw new TidelineError('unavailable', `${url.pathname} cannot be read (${response.status}).`);
  }
  return response.json();
}
