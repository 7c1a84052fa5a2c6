import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkpoint } from '../src/import/checkpoint.js';
import { activityLookUp } from '../src/import/import-target.js';
import { ingestClient } from '../src/import/ingest-client.js';
import { Crowd } from '../src/seed/crowd.js';
import type { CrowdSettings } from '../src/seed/crowd-settings.js';
import { readLedger } from '../src/seed/ledger.js';
import { type SeedTarget, seedCrowd } from '../src/seed/seed-crowd.js';

const key = 'demo-producer';
const sizes = { users: 200, posts: 1_000, likes: 2_000, followsPerUser: 15 };

let platform: Platform;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tideline-seed-'));
  // Some of the crowd are above the threshold, so that hybrid pages merge inboxes with outboxes.
  platform = await startPlatform({ followerThreshold: 100, inboxCap: 50 });
});

afterAll(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  lines: string[];
  /** Requests that were begun. */
  requests: number;
  /** What stopped it. */
  error: unknown;
}

/** One run as the command does it. `stopAt`: it is asked to stop while this request is under way. */
async function seed(
  settings: CrowdSettings,
  options: { stateFolder?: string; again?: boolean; stopAt?: number } = {},
): Promise<Run> {
  const controller = new AbortController();
  const { ports } = platform;
  const [ingestUrl, feedApiUrl] = [`http://127.0.0.1:${ports.ingest}`, `http://127.0.0.1:${ports.feedApi}`];
  const run: Run = { lines: [], requests: 0, error: undefined };
  const onRetry = (reason: string) => run.lines.push(`retried: ${reason}`);
  const ingest = ingestClient({ url: ingestUrl, key, signal: controller.signal, onRetry });
  const target: SeedTarget = {
    ingest: {
      async send(method, path, body) {
        run.requests += 1;
        const sent = ingest.send(method, path, body);
        if (run.requests === options.stopAt) {
          // Not before the others of its group are under way.
          setImmediate(() => controller.abort());
        }
        return sent;
      },
    },
    ingestUrl,
    feedApiUrl,
    hasActivity: activityLookUp(feedApiUrl, key),
    readLedger: (number) => readLedger(feedApiUrl, key, number),
    stateFolder: join(folder, options.stateFolder ?? 'state'),
    signal: controller.signal,
    report: (line) => run.lines.push(line),
  };
  try {
    await seedCrowd(settings, options.again ?? false, target);
  } catch (error) {
    run.error = error;
  }
  await platform.settle();
  return run;
}

/** All rows that a seed number could have made, by table; control records with every copy on the log. */
async function rowsOf(number: number): Promise<Record<string, number>> {
  const { rows } = await platform.database.query<Record<string, number>>(
    `select
      (select count(*)::int from users where id like $1) as users,
      (select count(*)::int from follows where follower_id like $1 and active) as follows,
      (select count(*)::int from activities where actor_id like $1 and verb = 'post') as posts,
      (select count(*)::int from activities where actor_id like $1 and verb = 'like') as likes,
      (select count(*)::int from activities where actor_id = $2) as ledger,
      (select count(*)::int from objects where owner_id like $1) as objects,
      (select count(*)::int from control_activities where verb = 'follow' and actor_id like $1) as follow_records,
      (select count(*)::int from control_activities where verb = 'update' and object_type = 'user' and object_id like $1) as user_records,
      (select count(*)::int from control_activities where object_type = 'post' and object_id like $2 || '-post-%')
        as object_records`,
    [`seed-${number}-%`, `seed-${number}`],
  );
  return rows[0] ?? {};
}

function expectedRows(settings: CrowdSettings): Record<string, number> {
  const crowd = new Crowd(settings, Date.now());
  return {
    users: settings.users,
    follows: crowd.followCount,
    posts: settings.posts,
    likes: settings.likes,
    ledger: 2,
    objects: crowd.likedPostCount,
    follow_records: crowd.followCount,
    user_records: settings.users,
    object_records: crowd.likedPostCount,
  };
}

test('a crowd is there as the summary says, and a second run adds no row', async () => {
  const settings = { seed: 1, ...sizes };
  const crowd = new Crowd(settings, Date.now());

  const first = await seed(settings);

  expect(first.error).toBeUndefined();
  expect(await rowsOf(1)).toEqual(expectedRows(settings));
  expect(first.lines).not.toContainEqual(expect.stringContaining('retried'));
  expect(first.lines).toContainEqual(
    expect.stringContaining(`The crowd of seed 1: 200 users, ${crowd.followCount} follows, 1000 posts, 2000 likes.`),
  );
  for (const { user, followers } of crowd.mostFollowed(5)) {
    const { rows } = await platform.database.query<{ count: number; name: string }>(
      'select follower_count::int as count, name from authors join users on id = author_id where id = $1',
      [crowd.userId(user)],
    );
    expect(rows).toEqual([{ count: followers, name: crowd.userName(user) }]);
    expect(first.lines).toContainEqual(expect.stringMatching(`${crowd.userId(user)} +${followers} followers`));
  }

  const second = await seed(settings);

  expect(second.lines[0]).toBe('All of it is there already: nothing was added.');
  expect(second.requests).toBe(0);
  expect(await rowsOf(1)).toEqual(expectedRows(settings));
});

test('likes carry the owner of what they like', async () => {
  const { rows } = await platform.database.query<{ likes: number }>(
    `select count(*)::int as likes from activities l join activities p on p.object_id = l.object_id and p.verb = 'post'
     where l.verb = 'like' and l.object_owner_id = p.actor_id`,
  );
  expect(rows).toEqual([{ likes: sizes.likes }]);
});

test('strategy=pull equals strategy=hybrid, item for item', async () => {
  const crowd = new Crowd({ seed: 1, ...sizes }, Date.now());
  const mostFollowed = crowd.mostFollowed(sizes.users).map(({ user }) => user);
  const sampled = [...mostFollowed.slice(0, 3), ...mostFollowed.slice(-3), 0, 50, 100, 150].map((user) =>
    crowd.userId(user),
  );
  for (const reader of sampled) {
    const pull = await platform.feedApi.walk('/v1/feeds/home', reader, 50, { strategy: 'pull' });
    // The first walk builds the inbox, the second reads it.
    const cold = await platform.feedApi.walk('/v1/feeds/home', reader, 50, { strategy: 'hybrid' });
    await platform.settleReads();
    const warm = await platform.feedApi.walk('/v1/feeds/home', reader, 50, { strategy: 'hybrid' });

    expect(pull.length).toBeGreaterThan(0);
    expect(cold).toEqual(pull);
    expect(warm).toEqual(pull);
  }
});

test('a run that was stopped goes on, in every phase, and nothing is sent twice', async () => {
  const settings = { seed: 2, users: 80, posts: 1_100, likes: 1_200, followsPerUser: 30 };
  const crowd = new Crowd(settings, Date.now());
  const [objects, together] = [crowd.likedPostCount, 32];
  // Counted from where the run goes on; what describes users or objects is stopped after the group that is under way.
  const stops = [1 + 40, 80 - 2 * together + 1, 2 + 1, 2 + 10, objects - together + 1];
  const goneOn: (string | undefined)[] = [];
  for (const stopAt of stops) {
    const stopped = await seed(settings, { stopAt });
    expect(stopped.error).toMatchObject({ name: 'AbortError' });
    goneOn.push(stopped.lines[0]);
  }

  const last = await seed(settings);

  expect(last.error).toBeUndefined();
  expect([...goneOn.slice(1), last.lines[0]]).toEqual([
    'Going on after 64 of 80 users.',
    `Going on after 1000 of ${crowd.followCount} follows.`,
    'Going on after 500 of 1100 posts.',
    `Going on after 32 of ${objects} liked posts.`,
    'Going on after 500 of 1200 likes.',
  ]);
  expect(await rowsOf(2)).toEqual(expectedRows(settings));
});

test('where the checkpoint was lost, the platform knows what is there', async () => {
  const settings = { seed: 3, users: 40, posts: 600, likes: 50, followsPerUser: 5 };
  const stopped = await seed(settings, { stopAt: 45 });
  expect(stopped.error).toMatchObject({ name: 'AbortError' });

  const elsewhere = await seed(settings, { stateFolder: 'elsewhere' });
  const there = await rowsOf(3);
  const third = await seed(settings, { stateFolder: 'third' });

  const { users, follows, posts, likes, ledger, objects } = expectedRows(settings);
  expect(elsewhere.lines[0]).toContain('nobody noted here how far it got');
  // Users and follows that are told once more are one more record each; nothing that anybody can see is there twice.
  expect(there).toMatchObject({ users, follows, posts, likes, ledger, objects });
  expect(third.lines[0]).toBe('All of it is there already: nothing was added.');
  expect(third.requests).toBe(0);
});

test('a checkpoint of another platform at the same address does not count', async () => {
  const settings = { seed: 4, users: 10, posts: 20, likes: 5, followsPerUser: 2 };
  const beganId = '01900000-0000-7000-8000-000000000000';
  const ingestUrl = `http://127.0.0.1:${platform.ports.ingest}`;
  const file = checkpoint(join(folder, 'state'), 'crowd 4', ingestUrl);
  await file.write({ settings, until: Date.now(), beganId, finished: true, sent: { users: 10 } });

  const run = await seed(settings);

  expect(run.error).toBeUndefined();
  expect(run.lines[0]).toBe('What was sent before is not there any more: sending everything.');
  expect(await rowsOf(4)).toEqual(expectedRows(settings));
});

test('sent again when asked to, posts and likes stay single', async () => {
  const settings = { seed: 3, users: 40, posts: 600, likes: 50, followsPerUser: 5 };

  const again = await seed(settings, { again: true });

  const { users, follows, posts, likes, ledger, objects } = expectedRows(settings);
  expect(again.error).toBeUndefined();
  expect(again.requests).toBeGreaterThan(40);
  expect(await rowsOf(3)).toMatchObject({ users, follows, posts, likes, ledger, objects });
});

test('the crowd of a seed has one size', async () => {
  const before = await rowsOf(1);

  const { error, requests } = await seed({ seed: 1, ...sizes, users: 201 });

  expect(error).toMatchObject({ code: 'configuration', message: expect.stringContaining('Take another --seed') });
  expect(requests).toBe(0);
  expect(await rowsOf(1)).toEqual(before);
});
