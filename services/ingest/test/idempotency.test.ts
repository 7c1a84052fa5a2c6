import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Gate, gateTo, throughGate } from './gate.js';
import { type Answer, type Call, Installation, keys, type RunningIngest } from './ingest-server.js';

const recovery = { timeout: 30_000, interval: 100 };

let installation: Installation;
let redis: Redis;
/** Ingest as it should be, and one with a gate before Redis. */
let ingest: RunningIngest;
let gated: RunningIngest;
let redisGate: Gate;
let nextKey = 0;
let idempotencyKey: string;

beforeAll(async () => {
  installation = await Installation.create();
  const { redisUrl } = installation.config;
  redis = new Redis(redisUrl);
  redisGate = await gateTo({ host: new URL(redisUrl).hostname, port: Number(new URL(redisUrl).port) }, 'open');
  ingest = await installation.start();
  gated = await installation.start({ redisUrl: throughGate(redisUrl, redisGate) });
});

afterAll(async () => {
  await Promise.all([ingest.stop(), gated.stop()]);
  await redisGate.close();
  redis.disconnect();
  await installation.close();
});

beforeEach(() => {
  nextKey += 1;
  idempotencyKey = `key-${nextKey}`;
});

afterEach(() => {
  redisGate.open();
});

/** A note that only this test posts. */
function note(text = '1') {
  return { verb: 'post', objectType: 'note', objectId: `${idempotencyKey}/${text}` };
}

function post(options: Call = {}, to: RunningIngest = ingest): Promise<Answer> {
  const { headers, ...call } = { key: keys.anna, body: note(), ...options };
  return to.call('/v1/activities', { ...call, headers: { 'idempotency-key': idempotencyKey, ...headers } });
}

function isReplay(answer: Answer): boolean {
  return answer.headers.get('idempotency-replayed') === 'true';
}

/** The ids under which a note is on the topic, one for each record. */
async function idsOnTopic(text?: string): Promise<string[]> {
  const { objectId } = note(text);
  return (await installation.records())
    .filter(({ record }) => record.objectId === objectId)
    .map(({ record }) => record.id);
}

test('a repetition gets the answer of the first request, and there is one activity', async () => {
  const first = await post();
  const again = await post({ headers: { 'x-request-id': 'another' } });
  expect(first.status).toBe(202);
  expect(isReplay(first)).toBe(false);
  expect(again).toMatchObject({ status: 202, body: first.body });
  expect(isReplay(again)).toBe(true);
  expect(await idsOnTopic()).toEqual([first.body['id']]);
});

test('of requests at the same time one is done; the others get its answer, or are told that it is in flight', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => post()));
  const done = answers.filter((answer) => answer.status === 202);
  expect(done.filter((answer) => !isReplay(answer)).length).toBe(1);
  expect(new Set(done.map(({ body }) => body['id'])).size).toBe(1);
  for (const other of answers.filter((answer) => answer.status !== 202)) {
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect(other.headers.get('retry-after')).toBe('1');
  }
  expect(await idsOnTopic()).toEqual([done[0]?.body['id']]);
});

test('another body, user or route under the same key is refused; the same body written otherwise is the same', async () => {
  const { body } = await post({ key: keys.producer, headers: { 'x-act-as': 'user:anna' } });
  const others: [string, Call][] = [
    ['/v1/activities', { body: note('2'), headers: { 'x-act-as': 'user:anna' } }],
    ['/v1/activities', { body: note(), headers: { 'x-act-as': 'user:ben' } }],
    ['/v1/activities', { body: [note()], headers: { 'x-act-as': 'user:anna' } }],
    ['/v1/follows', { body: [{ followerId: 'a', followeeId: 'b' }], headers: { 'x-act-as': 'user:anna' } }],
  ];
  for (const [path, { body: given, headers }] of others) {
    const answer = await ingest.call(path, {
      key: keys.producer,
      body: given,
      headers: { ...headers, 'idempotency-key': idempotencyKey },
    });
    expect(answer).toMatchObject({ status: 422, body: { error: { code: 'idempotency_mismatch' } } });
  }
  const { objectId } = note();
  const otherwise = ` {"objectId" : "${objectId}",\n"objectType":"note", "verb":"post"}`;
  const same = await post({ key: keys.producer, body: otherwise, headers: { 'x-act-as': 'user:anna' } });
  expect(same).toMatchObject({ status: 202, body });
});

test('the same key of another caller is another key', async () => {
  const answers = [
    await post(),
    await post({ key: keys.ben }),
    await post({ key: keys.producer, body: { ...note(), actorId: 'user:anna' } }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(answers.some(isReplay)).toBe(false);
  expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(3);
});

test('a key is 1 to 255 visible ASCII characters', async () => {
  for (const wrong of ['', 'a b', 'ü', 'a'.repeat(256)]) {
    expect(await post({ headers: { 'idempotency-key': wrong } })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request' } },
    });
  }
  expect(await post({ headers: { 'idempotency-key': `"${'~'.repeat(253)}"` } })).toMatchObject({ status: 202 });
});

test('a request that was refused leaves its key for a better one', async () => {
  const send = (path: string) =>
    ingest.call(path, { method: 'PUT', key: keys.anna, headers: { 'idempotency-key': idempotencyKey } });
  expect(await send('/v1/follows/user:nobody')).toMatchObject({ status: 404 });
  expect(await send('/v1/follows/user:ben')).toMatchObject({ status: 202 });
});

test('what a process left behind that died is taken over once its lease is over, with the same ids', async () => {
  const first = await post();
  const key = await keyOfReply(first);
  // As it was before the reply was kept.
  await redis.hdel(key, 'reply');
  expect(await post()).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  await redis.hset(key, 'leasedUntil', Date.now() - 1);

  const again = await post();
  expect(again).toMatchObject({ status: 202, body: first.body });
  expect(isReplay(again)).toBe(false);
  expect(new Set(await idsOnTopic())).toEqual(new Set([first.body['id']]));
});

test('a key is kept for a day', async () => {
  const key = await keyOfReply(await post());
  const ttlS = await redis.ttl(key);
  expect(ttlS).toBeGreaterThan(86_000);
  expect(ttlS).toBeLessThanOrEqual(86_400);
});

test('with Redis gone a write with a key is not begun, and one without is', async () => {
  await vi.waitUntil(async () => (await post({ body: note('before') }, gated)).status === 202, recovery);
  redisGate.shut();
  expect(await post({ body: note('with') }, gated)).toMatchObject({
    status: 503,
    body: { error: { code: 'unavailable' } },
  });
  expect(await gated.call('/v1/activities', { key: keys.anna, body: note('without') })).toMatchObject({ status: 202 });
  expect(await idsOnTopic('with')).toEqual([]);
  expect((await idsOnTopic('without')).length).toBe(1);
});

/** A request of each write; a new route needs one here. */
const writes: Record<string, { path?: string; key?: string; headers?: Record<string, string>; body?: unknown }> = {
  'post /v1/activities': { body: { verb: 'post', objectType: 'note', objectId: 'each' } },
  'delete /v1/activities/{id}': { path: '/v1/activities/01890a5d-ac96-774b-bcce-b302099a8057' },
  'put /v1/follows/{userId}': { path: '/v1/follows/user:ben' },
  'delete /v1/follows/{userId}': { path: '/v1/follows/user:ben' },
  'post /v1/follows': { key: keys.producer, body: [{ followerId: 'a', followeeId: 'b' }] },
  'put /v1/users/{id}': { path: '/v1/users/user:anna', body: { name: 'Anna' } },
  'put /v1/objects/{type}/{id}': { path: '/v1/objects/note/1', body: { title: 'Note' } },
  'post /post': { body: { type: 'post', content: 'Hello' } },
  'post /activity': { body: { verb: 'like', object_id: '1' } },
  'put /v1/mutes/{userId}': { path: '/v1/mutes/user:ben' },
  'delete /v1/mutes/{userId}': { path: '/v1/mutes/user:ben' },
  'put /v1/blocks/{userId}': { path: '/v1/blocks/user:ben' },
  'delete /v1/blocks/{userId}': { path: '/v1/blocks/user:ben' },
  'post /follow': { body: { follow: 'Ben' } },
  'post /unfollow': { body: { unfollow: 'Ben' } },
  'post /follow/{userId}': { path: '/follow/user:ben' },
  'delete /follow/{userId}': { path: '/follow/user:ben' },
};

test('every write of the document documents the key and honours it', async () => {
  const document = (await (await fetch(`${ingest.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string; in: string }[]; responses: object }>>;
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method, { responses }]) => method !== 'get' && !('501' in responses))
      .map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
  );
  expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(writes).sort());
  for (const { name, method, path, operation } of operations) {
    expect(operation.parameters, name).toContainEqual(
      expect.objectContaining({ in: 'header', name: 'Idempotency-Key' }),
    );
    expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['409', '422']));
    const { path: at = path, key = keys.anna, headers, body } = writes[name] ?? {};
    const keyed = { ...headers, 'idempotency-key': name.replaceAll(' ', '-') };
    const send = () => ingest.call(at, { method: method.toUpperCase(), key, body, headers: keyed });
    const first = await send();
    const again = await send();
    expect(first.status, name).toBeLessThan(300);
    expect(again, name).toMatchObject({ status: first.status, body: first.body });
    expect([isReplay(first), isReplay(again)], name).toEqual([false, true]);
  }
});

async function keyOfReply(answer: Answer): Promise<string> {
  const names = await redis.keys(`${installation.config.namespace}:idem:*`);
  for (const name of names) {
    if ((await redis.hget(name, 'reply'))?.includes(String(answer.body['id'])) === true) {
      return name;
    }
  }
  throw new Error('the reply is under no key');
}
