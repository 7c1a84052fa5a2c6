import { foreignActivityId } from '@tideline/shared/activity-id';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Call, Installation, keys, type RunningIngest } from './ingest-server.js';

let installation: Installation;
let ingest: RunningIngest;
let endsAtStart: number[];

beforeAll(async () => {
  installation = await Installation.create();
  ingest = await installation.start();
  endsAtStart = await installation.endOffsets();
});

afterAll(async () => {
  await ingest.stop();
  await installation.close();
});

/** What is wrong, the call, and the status, code and perhaps the named places of the answer. */
type Case = [what: string, path: string, call: Call, status: number, code: string, paths?: string[]];

const post = { verb: 'post', objectType: 'note', objectId: '1' };
const authored = { ...post, actorId: 'user:anna' };
const id = foreignActivityId('user:anna', 'x', Date.UTC(2024, 1, 1));

function posting(body: unknown, call: Call = {}): Call {
  return { key: keys.anna, body, ...call };
}

function nested(depth: number): string {
  return `${'{"n":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

/** An activity, as text, whose metadata is this text. */
function withMetadata(metadata: string): string {
  return `{"verb":"post","objectType":"note","objectId":"1","metadata":${metadata}}`;
}

const activities = '/v1/activities';
const follows = '/v1/follows';

const callers: Case[] = [
  ['no key', activities, { body: post }, 401, 'unauthenticated'],
  ['an unknown key', activities, { key: 'nobody', body: post }, 401, 'unauthenticated'],
  ['an empty key', activities, { key: '', body: post }, 401, 'unauthenticated'],
  ['an unknown route without a key', '/v1/nothing', { method: 'GET' }, 401, 'unauthenticated'],
  ['an unknown route', '/v1/nothing', { method: 'GET', key: keys.anna }, 404, 'not_found'],
  ['a wrong method', activities, { method: 'GET', key: keys.anna }, 405, 'method_not_allowed'],
  ['a wrong method on an id', `${activities}/${id}`, { method: 'PUT', key: keys.anna }, 405, 'method_not_allowed'],
  ['a key without the scope write', activities, posting(authored, { key: keys.reader }), 403, 'forbidden'],
  ['somebody else’s actorId', activities, posting({ ...post, actorId: 'user:ben' }), 403, 'forbidden'],
  ['somebody else’s actorId in a batch', activities, posting([post, { ...post, actorId: 'x' }]), 403, 'forbidden'],
  ['X-Act-As by a user key', activities, posting(post, { headers: { 'x-act-as': 'user:ben' } }), 403, 'forbidden'],
  ['a service that acts as nobody', activities, posting(post, { key: keys.producer }), 400, 'invalid_request'],
  [
    'a bad X-Act-As',
    activities,
    posting(post, { key: keys.producer, headers: { 'x-act-as': 'a b' } }),
    400,
    'invalid_request',
  ],
  ['a query parameter', `${activities}?dry=1`, posting(post), 400, 'invalid_request', ['']],
  ['a repeated query parameter', `${activities}?a=1&a=2`, posting(post), 400, 'invalid_request'],
];

const bodies: Case[] = [
  ['no body', activities, { key: keys.anna }, 415, 'unsupported_media_type'],
  ['an empty body', activities, posting(''), 400, 'invalid_request'],
  ['malformed JSON', activities, posting('{"verb":'), 400, 'invalid_request'],
  ['JSON that is no object', activities, posting('"text"'), 400, 'invalid_request'],
  ['null', activities, posting('null'), 400, 'invalid_request'],
  ['invalid UTF-8', activities, posting(Buffer.from([0x22, 0xff, 0x22])), 400, 'invalid_request'],
  [
    'another content type',
    activities,
    posting(post, { headers: { 'content-type': 'text/plain' } }),
    415,
    'unsupported_media_type',
  ],
  [
    'another charset',
    activities,
    posting(post, { headers: { 'content-type': 'application/json; charset=latin1' } }),
    415,
    'unsupported_media_type',
  ],
  [
    'an unknown content encoding',
    activities,
    posting(post, { headers: { 'content-encoding': 'zip' } }),
    415,
    'unsupported_media_type',
  ],
  [
    'one activity over 64 KiB',
    activities,
    posting(withMetadata(`{"t":"${'x'.repeat(65_536)}"}`)),
    413,
    'payload_too_large',
  ],
  ['an array over 4 MiB', activities, posting(`[${' '.repeat(4_194_304)}]`), 413, 'payload_too_large'],
  [
    'an item too large for the log',
    activities,
    posting([post, { ...post, metadata: { t: 'x'.repeat(200_000) } }]),
    413,
    'payload_too_large',
  ],
  ['a flat array of two million', activities, posting(`[${'1,'.repeat(2_000_000)}1]`), 400, 'invalid_request', ['']],
  ['NUL', activities, posting({ ...post, objectTitle: 'a\0b' }), 400, 'invalid_request'],
  ['NUL in a name', activities, posting(withMetadata('{"a\\u0000":1}')), 400, 'invalid_request'],
  ['an unpaired surrogate', activities, posting(withMetadata('{"a":"\\ud800"}')), 400, 'invalid_request'],
  ['a number out of range', activities, posting(withMetadata('{"a":1e999}')), 400, 'invalid_request'],
  ['__proto__', activities, posting(withMetadata('{"__proto__":{"a":1}}')), 400, 'invalid_request'],
  ['constructor', activities, posting(withMetadata('{"constructor":{"a":1}}')), 400, 'invalid_request'],
  ['nesting of 9', activities, posting(withMetadata(nested(8))), 400, 'invalid_request'],
  ['nesting of 9 in a batch', activities, posting(`[${withMetadata(nested(8))}]`), 400, 'invalid_request'],
  ['nesting of 5,000', activities, posting(withMetadata(nested(5_000))), 400, 'invalid_request'],
];

const fields: Case[] = [
  ['an unknown field', { ...post, color: 'red' }, ''],
  ['no verb', { objectType: 'note', objectId: '1' }, 'verb'],
  ['a bad verb', { ...post, verb: 'Post!' }, 'verb'],
  ['a reserved verb', { ...post, verb: 'follow' }, 'verb'],
  ['a bad actorId', { ...post, actorId: 'a b' }, 'actorId'],
  ['an actorId of 65', { ...post, actorId: 'a'.repeat(65) }, 'actorId'],
  ['a number for a text', { ...post, objectId: 1 }, 'objectId'],
  ['a title of 1,025', { ...post, objectTitle: 'x'.repeat(1_025) }, 'objectTitle'],
  ['a target without its id', { ...post, targetType: 'list' }, 'targetId'],
  ['an empty audience', { ...post, to: [] }, 'to'],
  ['an audience of 101', { ...post, to: Array.from({ length: 101 }, (_, n) => `u${n}`) }, 'to'],
  ['metadata that is a list', { ...post, metadata: [1] }, 'metadata'],
  ['a future timestamp', { ...post, timestamp: Date.now() + 60_000 }, 'timestamp'],
  ['a timestamp before 2000', { ...post, timestamp: Date.UTC(1999, 11, 31) }, 'timestamp'],
  ['a timestamp that is no time', { ...post, timestamp: 'yesterday' }, 'timestamp'],
  ['a timestamp without an offset', { ...post, timestamp: '2024-01-01T00:00:00' }, 'timestamp'],
  ['a foreignId without a timestamp', { ...post, foreignId: 'x' }, 'foreignId'],
].map(([what, body, path]) => [what, activities, posting(body), 400, 'invalid_request', [path]] as Case);

const batches: Case[] = [
  ['an empty batch', activities, posting([]), 400, 'invalid_request', ['']],
  ['a batch of 501', activities, posting(Array.from({ length: 501 }, () => post)), 400, 'invalid_request', ['']],
  [
    'a batch with bad items: each is named, none is taken',
    activities,
    posting([post, { ...post, verb: 'Bad' }, post, { ...post, objectId: '' }]),
    400,
    'invalid_request',
    ['1.verb', '3.objectId'],
  ],
];

const otherRoutes: Case[] = [
  ['a bad activity id', `${activities}/1`, { method: 'DELETE', key: keys.anna }, 400, 'invalid_request', ['id']],
  [
    'a UUID that is not of version 7',
    `${activities}/${id.replace('-7', '-4')}`,
    { method: 'DELETE', key: keys.anna },
    400,
    'invalid_request',
  ],
  [
    'a delete by a service as nobody',
    `${activities}/${id}`,
    { method: 'DELETE', key: keys.producer },
    400,
    'invalid_request',
  ],
  [
    'a delete by an admin of what is unknown',
    `${activities}/${id}`,
    { method: 'DELETE', key: keys.admin },
    404,
    'not_found',
  ],
  ['following oneself', `${follows}/user:anna`, { method: 'PUT', key: keys.anna }, 400, 'invalid_request'],
  ['unfollowing oneself', `${follows}/user:anna`, { method: 'DELETE', key: keys.anna }, 400, 'invalid_request'],
  ['following an unknown user', `${follows}/nobody`, { method: 'PUT', key: keys.anna }, 404, 'not_found'],
  ['following a bad id', `${follows}/a%00b`, { method: 'PUT', key: keys.anna }, 400, 'invalid_request'],
  ['a malformed escape in the path', `${follows}/%zz`, { method: 'PUT', key: keys.anna }, 400, 'invalid_request'],
  ['many follows by a user key', follows, posting([{ followerId: 'a', followeeId: 'b' }]), 403, 'forbidden'],
  [
    'many follows, one of oneself',
    follows,
    posting(
      [
        { followerId: 'a', followeeId: 'b' },
        { followerId: 'a', followeeId: 'a' },
      ],
      { key: keys.producer },
    ),
    400,
    'invalid_request',
    ['1.followeeId'],
  ],
  [
    '1,001 follows',
    follows,
    posting(
      Array.from({ length: 1_001 }, (_, n) => ({ followerId: `f${n}`, followeeId: 'x' })),
      { key: keys.producer },
    ),
    400,
    'invalid_request',
    [''],
  ],
  ['describing somebody else', '/v1/users/user:ben', posting({ name: 'B' }, { method: 'PUT' }), 403, 'forbidden'],
  ['an empty name', '/v1/users/user:anna', posting({ name: '' }, { method: 'PUT' }), 400, 'invalid_request', ['name']],
  [
    'a name of 129',
    '/v1/users/user:anna',
    posting({ name: 'x'.repeat(129) }, { method: 'PUT' }),
    400,
    'invalid_request',
    ['name'],
  ],
  [
    'an avatar that is no web address',
    '/v1/users/user:anna',
    posting({ name: 'A', avatar: 'javascript:alert(1)' }, { method: 'PUT' }),
    400,
    'invalid_request',
    ['avatar'],
  ],
];

test.each([
  ...callers,
  ...bodies,
  ...fields,
  ...batches,
  ...otherRoutes,
])('%s is refused', async (_what, path, call, status, code, paths) => {
  const answer = await ingest.call(path, call);
  expect(answer).toMatchObject({ status, body: { error: { code, message: expect.any(String) as string } } });
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.ts:/);
  if (paths !== undefined) {
    const { details } = answer.body['error'] as { details: { path: string }[] };
    expect(details.map(({ path: place }) => place)).toEqual(paths);
  }
});

test('a wrong method is told the right ones', async () => {
  const answer = await ingest.call(activities, { method: 'PATCH', key: keys.anna });
  expect(answer.headers.get('allow')).toBe('POST');
});

test('just below each limit it is taken', async () => {
  const deep = await ingest.call(activities, posting(withMetadata(nested(7))));
  const large = await ingest.call(activities, posting(withMetadata(`{"t":"${'x'.repeat(65_000)}"}`)));
  const soon = await ingest.call(activities, posting({ ...post, timestamp: Date.now() + 4_000 }));
  expect([deep.status, large.status, soon.status]).toEqual([202, 202, 202]);
});

test('nothing of what was refused is on the topic', async () => {
  const records = await installation.records();
  const ends = await installation.endOffsets();
  const taken = ends.reduce((sum, end, partition) => sum + end - (endsAtStart[partition] ?? 0), 0);
  // The three of the test before.
  expect(taken).toBe(3);
  expect(records.every(({ record }) => record.actorId === 'user:anna')).toBe(true);
});
