import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { decodeStoredList, encodeReadyList } from '@tideline/shared/verify/stored-feeds';
import type { ReaderDifferences } from '@tideline/shared/verify/verify-readers';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type VerifyOptions, type VerifyReport, verifyFeeds } from '../src/verify/verify-feeds.js';
import { withVerifyTools } from '../src/verify/verify-tools.js';

/**
 * The audit (E12) against the whole system: it says nothing while all is well, whatever goes on, and names each fault
 * that is planted in Redis behind everybody's back.
 */

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));

const followerThreshold = 6;
const inboxCap = 20;
const authors = ['author-0', 'author-1', 'author-2'];
const celebrity = 'celebrity';
const stranger = 'stranger';
const readers = Array.from({ length: 8 }, (_, i) => `reader-${i}`);
const reader = 'reader-0';
/** Readers and authors, and those of the demo. */
const users = readers.length + authors.length + 2 + 3;

let platform: Platform;
let keys: FeedKeys;
const posted = new Map<string, string[]>();

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold, inboxCap });
  await platform.ingest.succeed('POST', '/v1/follows', {
    body: readers.flatMap((followerId, i) =>
      [celebrity, authors[i % 3], authors[(i + 1) % 3]].map((followeeId) => ({ followerId, followeeId })),
    ),
  });
  await platform.settle();
  for (let i = 0; i < 12; i += 1) {
    for (const author of [...authors, celebrity, stranger]) {
      posted.set(author, [...(posted.get(author) ?? []), await post(author, `first-${i}`)]);
    }
  }
  const epoch = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  keys = new FeedKeys(platform.namespace, epoch.rows[0]?.epoch ?? '');
  await warm();
});
afterAll(() => platform.stop());
afterEach(async () => {
  // A test that failed leaves nothing to the next one.
  await verify({ repair: true, patienceMs: 0 });
  await warm();
});

async function post(actorId: string, objectId: string): Promise<string> {
  const body = { actorId, verb: 'post', objectType: 'note', objectId };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id;
}

/** Builds every list. */
async function warm(): Promise<void> {
  await platform.settle();
  for (const actAs of readers) {
    await platform.feedApi.succeed('GET', '/v1/feeds/home', { actAs });
  }
  for (const author of [...authors, celebrity]) {
    await platform.feedApi.succeed('GET', `/v1/users/${author}/feed`);
  }
  for (const actAs of [...readers, ...authors, celebrity]) {
    await platform.feedApi.succeed('GET', '/v1/feeds/notifications', { actAs });
  }
  await platform.settle();
}

async function verify(options: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
  return withVerifyTools(platform.settings, (tools) =>
    verifyFeeds(
      tools,
      { all: true },
      { repair: false, patienceMs: 30_000, onStart: () => undefined, onProgress: () => undefined, ...options },
    ),
  );
}

/** `npm run tideline -- verify …` without npm. */
async function verifyCommand(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
  };
  try {
    return { status: 0, ...(await run(process.execPath, [door, 'tideline', 'verify', ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

function newest(author: string, nth = 0): string {
  return posted.get(author)?.at(-1 - nth) ?? '';
}

async function changeList(key: string, change: (ids: string[], floor: string) => Buffer[]): Promise<void> {
  const { state, ids, floor } = decodeStoredList(await platform.redis.lrangeBuffer(key, 0, -1));
  expect(state).toBe('ready');
  await platform.redis.unlink(key);
  await platform.redis.rpush(key, ...change(ids, floor));
}

function without(...gone: string[]) {
  return (ids: string[], floor: string) =>
    encodeReadyList(
      ids.filter((id) => !gone.includes(id)),
      floor,
    );
}

function withMore(...more: string[]) {
  return (ids: string[], floor: string) => encodeReadyList([...ids, ...more].sort().reverse(), floor);
}

function swapped(ids: string[], floor: string): Buffer[] {
  const [first = '', second = '', ...rest] = ids;
  return encodeReadyList([second, first, ...rest], floor);
}

test('a healthy system is equal, everywhere', async () => {
  const report = await verify();
  expect(report).toEqual({ readers: users, inboxes: 8, outboxes: 4, notifications: 12, different: [], undecided: [] });
  expect(await verifyCommand('--all', '--json')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('"readers": 16') as string,
  });
});

test('what is wrong is printed by reader, with status 1; repaired it is 0', async () => {
  await changeList(keys.list('inbox', reader), without(newest('author-0', 2)));
  const found = await verifyCommand('--reader', reader);
  expect(found).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(new RegExp(`${reader} +inbox: missing ${newest('author-0', 2)}`)) as string,
  });
  expect(await verifyCommand('--reader', 'reader-1')).toMatchObject({ status: 0 });
  expect(JSON.parse((await verifyCommand('--json', '--readers', '100')).stdout)).toMatchObject({
    different: [
      { reader, differences: [{ list: 'inbox', fault: 'missing', id: newest('author-0', 2), authorId: 'author-0' }] },
    ],
  });

  const repaired = await verifyCommand('--all', '--repair');
  expect(repaired).toMatchObject({ status: 0, stdout: expect.stringContaining('1 were repaired') as string });
  await warm();
  expect(await verifyCommand('--all')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('8 inboxes, 4 outboxes and 12 lists of notifications') as string,
  });
});

test.each([
  ['no number', ['--readers', 'many'], 'no whole number'],
  ['two choices', ['--all', '--reader', 'x'], 'cannot be used with'],
  ['an unknown user', ['--reader', 'nobody'], 'There is no user "nobody"'],
])('%s is wrong usage, in a sentence', async (_what, args, sentence) => {
  const { status, stderr } = await verifyCommand(...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining(sentence)]);
});

interface Plant {
  fault: string;
  plant(): Promise<unknown>;
  found(): ReaderDifferences[];
}

const inInbox = (fault: 'missing' | 'extra' | 'misordered', id: string, authorId?: string, of = reader) => ({
  reader: of,
  differences: [{ list: 'inbox' as const, fault, id, authorId }],
});
const nobodys = '01890000-0000-7000-8000-000000000001';

const plants: Plant[] = [
  {
    fault: 'an id missing in the middle of an inbox',
    plant: () => changeList(keys.list('inbox', reader), without(newest('author-1', 1))),
    found: () => [inInbox('missing', newest('author-1', 1), 'author-1')],
  },
  {
    fault: 'an activity of somebody who is not followed',
    plant: () => changeList(keys.list('inbox', reader), withMore(newest(stranger))),
    found: () => [inInbox('extra', newest(stranger), stranger)],
  },
  {
    fault: 'an id that no activity has',
    plant: () => changeList(keys.list('inbox', reader), (ids) => encodeReadyList([...ids, nobodys], nobodys)),
    found: () => [
      expect.objectContaining({
        differences: expect.arrayContaining(inInbox('extra', nobodys).differences) as unknown,
      }) as ReaderDifferences,
    ],
  },
  {
    fault: 'two ids that changed places',
    plant: () => changeList(keys.list('inbox', reader), swapped),
    found: () => [inInbox('misordered', expect.any(String) as string)],
  },
  {
    fault: 'a floor below what the inbox has',
    plant: () => changeList(keys.list('inbox', reader), (ids) => encodeReadyList(ids)),
    found: () => [
      {
        reader,
        differences: expect.arrayContaining(
          inInbox('missing', posted.get('author-0')?.[0] ?? '', 'author-0').differences,
        ) as [],
      },
    ],
  },
  {
    fault: 'an outbox without one of its ids',
    plant: () => changeList(keys.list('outbox', 'author-0'), without(newest('author-0', 3))),
    found: () => [
      {
        reader: 'author-0',
        differences: [{ list: 'outbox', fault: 'missing', id: newest('author-0', 3), authorId: 'author-0' }],
      },
    ],
  },
  {
    fault: 'an outbox with what somebody else did',
    plant: () => changeList(keys.list('outbox', 'author-0'), withMore(newest(stranger))),
    found: () => [
      {
        reader: 'author-0',
        differences: [{ list: 'outbox', fault: 'extra', id: newest(stranger), authorId: stranger }],
      },
    ],
  },
  {
    fault: 'the outbox of a pulled author without an id, in every feed that merges it',
    plant: async () => {
      // Newer than the inboxes, which were built with what there was of everybody.
      posted.get(celebrity)?.push(await post(celebrity, 'pulled'));
      await platform.settle();
      await changeList(keys.list('outbox', celebrity), without(newest(celebrity)));
    },
    found: () => [
      {
        reader: celebrity,
        differences: [{ list: 'outbox', fault: 'missing', id: newest(celebrity), authorId: celebrity }],
      },
      ...readers.map((each) => inInbox('missing', newest(celebrity), celebrity, each)),
    ],
  },
  {
    fault: 'a register that takes a followed author for one who is not',
    plant: async () => {
      const bytes = await platform.redis.getBuffer(keys.register(reader));
      const text = bytes?.toString('utf8', 17).replace('"unfollowed":[]', '"unfollowed":["author-0"]') ?? '';
      expect(text).toContain('["author-0"]');
      await platform.redis.set(
        keys.register(reader),
        Buffer.concat([bytes?.subarray(0, 17) ?? Buffer.alloc(0), Buffer.from(text)]),
      );
    },
    found: () => [
      {
        reader,
        differences: expect.arrayContaining(inInbox('missing', newest('author-0'), 'author-0').differences) as [],
      },
    ],
  },
  {
    fault: 'notifications without one of the follows',
    plant: () =>
      changeList(keys.list('notifications', celebrity), (ids, floor) => encodeReadyList(ids.slice(1), floor)),
    found: () => [
      {
        reader: celebrity,
        differences: [
          {
            list: 'notifications',
            fault: 'missing',
            id: expect.any(String) as string,
            authorId: expect.stringMatching(/^reader-/) as string,
          },
        ],
      },
    ],
  },
  {
    fault: 'notifications with what does not concern their reader',
    plant: () => changeList(keys.list('notifications', reader), withMore(newest(stranger))),
    found: () => [
      { reader, differences: [{ list: 'notifications', fault: 'extra', id: newest(stranger), authorId: stranger }] },
    ],
  },
  {
    fault: 'a list that no service writes',
    plant: () => platform.redis.rpop(keys.list('inbox', reader)),
    found: () => [{ reader, differences: [{ list: 'inbox', fault: 'damaged', id: '', authorId: undefined }] }],
  },
];

test.each(plants)('$fault is found, repaired, and then gone', async ({ plant, found }) => {
  await plant();
  expect((await verify()).different).toEqual(found());
  const { repaired, different } = await verify({ repair: true });
  expect(repaired).toEqual(found());
  expect(different).toEqual([]);
  await warm();
  expect(await verify()).toEqual({
    readers: users,
    inboxes: 8,
    outboxes: 4,
    notifications: 12,
    different: [],
    undecided: [],
  });
});

test('what was deleted is no difference while it is being taken out, and one when it is back after that', async () => {
  await platform.stopFanout();
  const id = newest('author-0', 4);
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'author-0' });
  // Still in every list, and in no page.
  expect(await verify({ patienceMs: 0 })).toMatchObject({ different: [], undecided: [] });
  await platform.startFanout();
  await platform.settle();
  expect(await verify()).toMatchObject({ different: [], undecided: [] });

  await changeList(keys.list('inbox', reader), withMore(id));
  expect((await verify({ repair: true })).repaired).toEqual([inInbox('extra', id, 'author-0')]);
});

test('an unfollow that fanout has not heard of is no difference', async () => {
  await platform.stopFanout();
  await platform.ingest.succeed('DELETE', '/v1/follows/author-1', { actAs: reader });
  expect(await verify({ patienceMs: 0 })).toMatchObject({ different: [], undecided: [] });
  await platform.startFanout();
  await platform.settle();
  await warm();
  expect(await verify()).toMatchObject({ different: [], undecided: [] });
  await platform.ingest.succeed('PUT', '/v1/follows/author-1', { actAs: reader });
});

test('what is committed and not delivered is undecided, and decided once it is', async () => {
  await platform.stopFanout();
  const id = await post('author-0', 'on its way');
  // As far as a fanout gets that stops right after its commit.
  await platform.database.query(
    `insert into activities (id, time, actor_id, verb, object_type, object_id, caller_id, request_id, accepted_at,
       log_generation, log_partition, log_offset)
     values ($1, activity_time($1), 'author-0', 'post', 'note', 'on its way', 'test', 'test', now(), 1, 0, 1000000)`,
    [id],
  );
  const report = await verify({ patienceMs: 100 });
  expect(report.different).toEqual([]);
  expect(report.undecided).toContainEqual(inInbox('missing', id, 'author-0'));
  expect(report.undecidedBecause).toContain('fanout has not delivered yet');
  expect(await verifyCommand('--all', '--wait', '0')).toMatchObject({
    status: 3,
    stdout: expect.stringContaining('undecided') as string,
  });
  expect(await verifyCommand('--all', '--wait', '0', '--repair')).toMatchObject({ status: 3 });

  const waiting = verify();
  await platform.startFanout();
  expect(await waiting).toMatchObject({ different: [], undecided: [] });
});

test('a fault is found in spite of a difference that is on its way', async () => {
  await changeList(keys.list('inbox', reader), without(newest('author-0', 1)));
  await platform.stopFanout();
  const waiting = verify();
  await post('author-0', 'meanwhile');
  await platform.startFanout();
  expect((await waiting).different).toEqual([inInbox('missing', newest('author-0', 1), 'author-0')]);
  await verify({ repair: true });
});

test('under load, frozen or not, nothing is different', async () => {
  await platform.stopFanout();
  const fanout = await platform.spawnFanout();
  let stopped = false;
  const failures: unknown[] = [];
  const forever = async (work: (i: number) => Promise<unknown>) => {
    for (let i = 0; !stopped; i += 1) {
      await work(i).catch((error: unknown) => failures.push(error));
    }
  };
  const load = [
    ...authors.map((author) => forever((i) => post(author, `load-${i}`))),
    forever((i) => post(celebrity, `load-${i}`)),
    forever(async (i) => {
      const id = await post('author-2', `to be deleted-${i}`);
      await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'author-2' });
    }),
    forever((i) =>
      platform.ingest.succeed(i % 2 === 0 ? 'DELETE' : 'PUT', '/v1/follows/author-0', { actAs: 'reader-3' }),
    ),
    forever((i) =>
      platform.ingest.succeed(i % 2 === 0 ? 'DELETE' : 'PUT', `/v1/follows/${celebrity}`, { actAs: 'reader-4' }),
    ),
    forever((i) =>
      platform.ingest.succeed(i % 2 === 0 ? 'PUT' : 'DELETE', '/v1/mutes/author-2', { actAs: 'reader-5' }),
    ),
    forever((i) =>
      platform.ingest.succeed(i % 2 === 0 ? 'PUT' : 'DELETE', '/v1/blocks/reader-6', { actAs: 'author-0' }),
    ),
    forever((i) => platform.feedApi.succeed('GET', '/v1/feeds/home', { actAs: readers[i % readers.length] ?? reader })),
  ];

  const reports: VerifyReport[] = [];
  for (let i = 0; i < 10; i += 1) {
    reports.push(await verify());
  }
  await fanout.signal('SIGSTOP');
  const frozen = await verify({ patienceMs: 200 });
  await fanout.signal('SIGCONT');
  stopped = true;
  await Promise.all(load);

  expect(failures).toEqual([]);
  expect(reports.flatMap(({ different }) => different)).toEqual([]);
  expect(frozen.different).toEqual([]);
  // Only who changes all the time whom it sees may be given up.
  const restless = ['reader-3', 'reader-4', 'reader-5', 'reader-6'];
  const undecided = reports.flatMap((report) => report.undecided.map((each) => each.reader));
  expect(undecided.filter((each) => !restless.includes(each))).toEqual([]);
  await warm();
  expect(await verify()).toMatchObject({ readers: users, inboxes: 8, different: [], undecided: [] });
  await fanout.signal('SIGTERM');
});
