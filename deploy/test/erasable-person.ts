import { activityIdToBytes } from '@tideline/shared/activity-id';
import type { PageBody } from '@tideline/testing/http-client';
import type { Platform } from '@tideline/testing/platform';

/** A user about whom there is everything that there can be, and what would tell of it. */

export const readers = ['ben', 'carl', 'dora', 'emil', 'fred', 'gina'];

export interface Person {
  id: string;
  /** Only this user wrote them. */
  words: string;
}

/** All that a user does by itself, what is done to it, and how others have it among what is theirs; and what is marked of it. */
export async function giveEverything(platform: Platform, person: Person) {
  const { feedApi } = platform;
  const written = await writeEverything(platform, person);
  await platform.settle();
  const { id } = person;
  await feedApi.succeed('POST', '/v1/feeds/notifications/read', { actAs: id, body: { upTo: written.liked } });
  await feedApi.succeed('POST', '/v1/feeds/notifications/seen', { actAs: id, body: { ids: [written.alone] } });
  const { items } = await feedApi.succeed<PageBody>('GET', '/v1/feeds/notifications', { actAs: 'ben' });
  const ids = items.filter(({ actorId }) => actorId === id).map((item) => item.id);
  await feedApi.succeed('POST', '/v1/feeds/notifications/read', { actAs: 'ben', body: { ids } });
  return written;
}

/** The part of it that is on the log. */
export async function writeEverything({ ingest }: Platform, { id, words }: Person) {
  const as = (actAs: string, headers: Record<string, string> = {}) => ({ actAs, headers });
  const post = (actAs: string, body: object) =>
    ingest.succeed<{ id: string }>('POST', '/v1/activities', { actAs, body });
  const note = (objectId: string) => ({ verb: 'post', objectType: 'note', objectId });

  await ingest.succeed('PUT', `/v1/users/${id}`, {
    ...as(id, { 'idempotency-key': `${id}-name` }),
    body: { name: `Name ${words}`, avatar: `https://example.org/${words}.png` },
  });
  for (const reader of readers) {
    await ingest.succeed('PUT', `/v1/users/${reader}`, { ...as(reader), body: { name: reader.toUpperCase() } });
    await ingest.succeed('PUT', `/v1/follows/${id}`, as(reader));
    await ingest.succeed('PUT', `/v1/follows/${reader}`, as(id));
  }
  await ingest.succeed('DELETE', `/v1/follows/${id}`, as('fred'));
  await ingest.succeed('DELETE', '/v1/follows/gina', as(id));
  await ingest.succeed('PUT', '/v1/mutes/emil', as(id));
  await ingest.succeed('PUT', '/v1/blocks/gina', as(id));
  await ingest.succeed('PUT', `/v1/mutes/${id}`, as('fred'));

  // Objects: the user's own, one that was given away, one of somebody else that a service changed for the user.
  for (const type of ['photo', 'given']) {
    const body = { title: `A photo of ${words}`, metadata: { words } };
    const headers = { 'idempotency-key': `${id}-${type}` };
    await ingest.succeed('PUT', `/v1/objects/${type}/o-1`, { ...as(id, headers), body });
  }
  await ingest.succeed('PUT', '/v1/objects/given/o-1', {
    ...as('carl'),
    body: { title: 'Of Ben now', ownerId: 'ben' },
  });
  await ingest.succeed('PUT', '/v1/objects/page/p-1', { ...as('carl'), body: { title: 'By Carl' } });
  await ingest.succeed('PUT', '/v1/objects/page/p-1', { ...as(id), body: { title: `Changed by ${words}` } });

  // What the user does: for everybody, for some, about what is of others, long ago; and takes back.
  await post(id, { ...note('n-1'), objectTitle: `Note of ${words}`, metadata: { text: words } });
  await ingest.succeed('POST', '/v1/activities', {
    ...as(id, { 'idempotency-key': `${id}-post` }),
    body: { ...note('n-2'), to: ['ben', 'carl'] },
  });
  const past = { timestamp: Date.now() - 40 * 86_400_000, foreignId: `past-${words}` };
  await post(id, { ...note('n-3'), ...past });
  const taken = await post(id, note('n-4'));
  await ingest.succeed('DELETE', `/v1/activities/${taken.id}`, as(id));
  await ingest.succeed('PUT', '/v1/objects/photo/b-1', { ...as('ben'), body: { title: 'Of Ben' } });
  for (const verb of ['like', 'comment', 'share']) {
    await post(id, { verb, objectType: 'photo', objectId: 'b-1', metadata: { text: words } });
  }
  await ingest.succeed('POST', '/post', { ...as(id), body: { type: 'post', content: `Content of ${words}` } });

  // What others do to the user, to what is the user's, and with the user among others.
  const liked = await post('ben', {
    ...{ verb: 'like', objectType: 'photo', objectId: 'o-1', objectTitle: `A photo of ${words}` },
  });
  await post('dora', {
    ...{ verb: 'view', objectType: 'photo', objectId: 'o-1', objectTitle: `A photo of ${words}` },
    ...{ targetType: 'photo', targetId: 'o-1', targetTitle: `A photo of ${words}` },
  });
  await post('carl', { verb: 'comment', objectType: 'photo', objectId: 'o-1', metadata: { text: 'well' } });
  const shared = await post('carl', { ...note('for-some'), to: [id, 'dora'] });
  const alone = await post('carl', { ...note('for-one'), to: [id] });
  await post('dora', { verb: 'greet', objectType: 'user', objectId: id });
  await post('dora', { ...note('about'), targetType: 'user', targetId: id });
  await post('emil', note('of-emil'));
  return { liked: liked.id, shared: shared.id, alone: alone.id };
}

const idsSql = `
  select array(
    select id from activities
    where actor_id = $1 or (object_type = 'user' and object_id = $1) or (target_type = 'user' and target_id = $1)
    union all
    select id from control_activities
    where actor_id = $1 or (object_type = 'user' and object_id = $1) or metadata ->> 'ownerId' = $1) as ids`;

/** Ids of what the user did, and of what is about the user. */
export async function idsOf({ database }: Platform, { id }: Person): Promise<string[]> {
  const { rows } = await database.query<{ ids: string[] }>(idsSql, [id]);
  return rows[0]?.ids ?? [];
}

const relationsSql = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
  order by 1`;

/** Where any of these texts is in the database: tables, chunks, materialised views, whatever column. */
export async function foundInDatabase({ database }: Platform, texts: readonly string[]): Promise<string[]> {
  const { rows: relations } = await database.query<{ name: string }>(relationsSql);
  const found: string[] = [];
  for (const { name } of relations) {
    const { rows } = await database.query<{ row: string }>(
      `select r::text as row from ${name} r where exists (select from unnest($1::text[]) t where position(t in r::text) > 0) limit 3`,
      [texts],
    );
    found.push(...rows.map(({ row }) => `${name}: ${row}`));
  }
  return found;
}

/** Where any of these texts, or of these ids as text or bytes, is in Redis: names of keys and all that is in them. */
export async function foundInRedis(
  { redis, namespace }: Platform,
  texts: readonly string[],
  ids: readonly string[],
): Promise<string[]> {
  const wanted: Buffer[] = [...[...texts, ...ids].map((text) => Buffer.from(text)), ...ids.map(activityIdToBytes)];
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${namespace}:*`, 'COUNT', 1_000);
    for (const key of keys) {
      const parts = [Buffer.from(key), ...(await valuesOf(redis, key))];
      if (parts.some((part) => wanted.some((each) => part.includes(each)))) {
        found.push(key);
      }
    }
    cursor = next;
  } while (cursor !== '0');
  return found;
}

async function valuesOf(redis: Platform['redis'], key: string): Promise<Buffer[]> {
  const type = await redis.type(key);
  const commands: Record<string, [string, ...(string | number)[]]> = {
    string: ['get', key],
    list: ['lrange', key, 0, -1],
    set: ['smembers', key],
    zset: ['zrange', key, 0, -1],
    hash: ['hgetall', key],
    stream: ['xrange', key, '-', '+'],
  };
  const [command, ...args] = commands[type] ?? [];
  return command === undefined ? [] : buffersIn(await redis.callBuffer(command, ...args));
}

function buffersIn(answer: unknown): Buffer[] {
  return Buffer.isBuffer(answer) ? [answer] : Array.isArray(answer) ? answer.flatMap(buffersIn) : [];
}
