import { type Platform, startPlatform } from '@tideline/testing/platform';
import vocabulary from 'activitystreams-context' with { type: 'json' };
import jsonld, { type JsonLdDocument, type Options } from 'jsonld';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * The same feeds in W3C Activity Streams 2.0, held against the vocabulary: expanded by its own context, every type and
 * every property must be one of its namespace, or of ours.
 */

const home = '/v1/feeds/home';
const activityJson = 'application/activity+json';
const vocabularyUrl = 'https://www.w3.org/ns/activitystreams';
const as = `${vocabularyUrl}#`;
const ours = 'urn:tideline:ns:';
const reader = 'reader';

const context: { '@context': Record<string, string | { '@id': string }> } = vocabulary;
/** Every term that the vocabulary defines, as an IRI. */
const vocabularyTerms = new Set(
  Object.values(context['@context'])
    .map((term) => (typeof term === 'string' ? term : term['@id']))
    .map((iri) => iri.replace(/^as:/, as)),
);

let platform: Platform;
/** Ids of what was posted, by its verb. */
const posted = new Map<string, string>();

const written = [
  {
    verb: 'post',
    objectType: 'note',
    objectId: 'n 1/ä%:?#',
    objectTitle: 'Höhe "1"',
    metadata: { type: 'x', '@id': 'y' },
  },
  { verb: 'like', objectType: 'photo', objectId: 'p1', objectTitle: 'Sunset' },
  { verb: 'share', objectType: 'album', objectId: 'a1', targetType: 'group', targetId: 'g1', targetTitle: 'Friends' },
  { verb: 'comment', objectType: 'photo', objectId: 'p1' },
  { verb: 'constructor', objectType: '__proto__', objectId: 'toString' },
  { verb: 'recommend', objectType: 'user', objectId: 'author:2', to: [reader] },
  {
    verb: 'view',
    objectType: 'x'.repeat(64),
    objectId: '\u{1F600}'.repeat(128),
    timestamp: Date.UTC(2001, 1, 2, 3, 4, 5, 6),
  },
];

beforeAll(async () => {
  platform = await startPlatform();
  const avatar = 'https://example.org/a.png';
  await platform.ingest.succeed('PUT', '/v1/users/author:1', { body: { name: 'Ada', avatar } });
  const edges = [{ followerId: reader, followeeId: 'author:1' }];
  await platform.ingest.succeed('POST', '/v1/follows', { body: edges });
  for (const body of written) {
    const options = { body, actAs: 'author:1' };
    posted.set(body.verb, (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', options)).id);
  }
  await platform.settle();
});
afterAll(() => platform.stop());

type Json = Record<string, unknown>;

async function read(path: string, accept = activityJson, actAs = reader) {
  return platform.feedApi.request<Json>('GET', path, { actAs, headers: { accept } });
}

/** Reads nothing from the network: there is only the vocabulary's context. */
const expanding: Options.Expand & { safe: boolean } = {
  documentLoader: (url) =>
    url === vocabularyUrl
      ? Promise.resolve({ documentUrl: url, document: context })
      : Promise.reject(new Error(`${url} is not to be read`)),
  // Whatever expansion would drop is an error.
  safe: true,
};

/** The one node that the document is about. */
async function expand(document: Json): Promise<Json> {
  const nodes = (await jsonld.expand(document as JsonLdDocument, expanding)) as Json[];
  expect(nodes).toHaveLength(1);
  return nodes[0] ?? {};
}

/** Visits every node of an expanded document, and checks what holds for all of them. */
function checkNodes(value: unknown): void {
  if (Array.isArray(value)) {
    value.forEach(checkNodes);
    return;
  }
  if (typeof value !== 'object' || value === null) {
    return;
  }
  const node = value as Json;
  if ('@value' in node) {
    checkLiteral(node);
    return;
  }
  if ('@id' in node) {
    expect(URL.canParse(String(node['@id'])), `${String(node['@id'])} is absolute`).toBe(true);
  }
  for (const type of (node['@type'] ?? []) as string[]) {
    expect(vocabularyTerms, 'types').toContain(type);
  }
  for (const [property, values] of Object.entries(node)) {
    if (!property.startsWith('@')) {
      expect(vocabularyTerms.has(property) || property.startsWith(ours), `${property} is a known property`).toBe(true);
    }
    if (property !== '@type' && property !== '@id') {
      checkNodes(values);
    }
  }
}

function checkLiteral({ '@value': value, '@type': type }: Json): void {
  if (type === 'http://www.w3.org/2001/XMLSchema#dateTime') {
    expect(value).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/);
    expect(Number.isNaN(Date.parse(String(value)))).toBe(false);
  } else {
    expect(typeof value).toBe('string');
  }
}

function valuesOf(node: Json, property: string): Json[] {
  return (node[as + property] ?? []) as Json[];
}

function checkActivity(activity: Json): void {
  expect(activity['@id']).toEqual(expect.any(String));
  expect(activity['@type']).toHaveLength(1);
  for (const property of ['actor', 'object', 'published']) {
    expect(valuesOf(activity, property), property).toHaveLength(1);
  }
  const [actor] = valuesOf(activity, 'actor');
  expect(actor).toMatchObject({ '@id': expect.any(String) as string, '@type': [`${as}Person`] });
  expect(valuesOf(actor ?? {}, 'name')).toHaveLength(1);
  expect(valuesOf(activity, 'object')[0]).toMatchObject({ '@id': expect.any(String) as string });
}

test.each([
  ['home', `${home}?limit=3`],
  ['a user', '/v1/users/author%3A1/feed?limit=3'],
])('pages of the feed of %s are OrderedCollectionPages by the rules of the vocabulary', async (_name, path) => {
  const plain = await platform.feedApi.walk(path.split('?')[0] ?? '', reader, 50);
  const ids: string[] = [];
  let previousId: string | undefined;
  for (let to: string | undefined = path; to !== undefined; ) {
    const { status, headers, body }: Awaited<ReturnType<typeof read>> = await read(to);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/activity\+json\b/);
    const page = await expand(body);
    checkNodes(page);
    expect(page['@type']).toEqual([`${as}OrderedCollectionPage`]);
    expect(valuesOf(page, 'partOf')[0]).toMatchObject({ '@type': [`${as}OrderedCollection`] });
    expect(valuesOf(page, 'partOf')[0]?.['@id']).not.toBe(page['@id']);
    const [list] = valuesOf(page, 'items');
    const activities = list?.['@list'] as Json[];
    activities.forEach(checkActivity);
    ids.push(...activities.map((activity) => String(activity['@id'])));
    expect(page['@id']).toMatch(new RegExp(`^http://127.0.0.1:${platform.ports.feedApi}/v1/`));
    expect(valuesOf(page, 'prev').length).toBe(previousId === undefined ? 0 : 1);
    previousId = String(page['@id']);
    const next = valuesOf(page, 'next')[0]?.['@id'];
    to = next === undefined ? undefined : new URL(String(next)).pathname + new URL(String(next)).search;
  }
  expect(ids.map((id) => new URL(id).pathname)).toEqual(plain.map(({ id }) => `/v1/activities/${id}`));
  expect(ids.length).toBe(path.startsWith(home) ? written.length : written.length - 1);
});

test.each([
  ['post', 'Create', 'Note'],
  ['like', 'Like', 'Image'],
  ['share', 'Announce', 'Object'],
  ['comment', 'Create', 'Note'],
  ['constructor', 'Activity', 'Object'],
  ['recommend', 'Activity', 'Person'],
  ['view', 'View', 'Object'],
])('%s is %s of %s, and the verb is kept', async (verb, activityType, objectType) => {
  const { headers, body } = await read(`/v1/activities/${posted.get(verb)}`);
  expect(headers.get('vary')).toMatch(/\bAccept\b/);
  const activity = await expand(body);
  checkNodes(activity);
  checkActivity(activity);
  expect(activity).toMatchObject({ '@type': [as + activityType], [`${ours}verb`]: [{ '@value': verb }] });
  expect(valuesOf(activity, 'object')[0]?.['@type']).toEqual([as + objectType]);
  const addressees = valuesOf(activity, 'to').map((each) => each['@id']);
  expect(addressees).toEqual(verb === 'recommend' ? [] : [`${as}Public`]);
});

test('an activity says who, what, whereto and when; links lead to what they name', async () => {
  const origin = `http://127.0.0.1:${platform.ports.feedApi}`;
  const { body: share } = await read(`/v1/activities/${posted.get('share')}`);
  expect(share).toMatchObject({
    id: `${origin}/v1/activities/${posted.get('share')}`,
    actor: {
      id: `${origin}/v1/users/author%3A1`,
      name: 'Ada',
      icon: { type: 'Image', url: 'https://example.org/a.png' },
    },
    object: { id: 'urn:tideline:album:a1', objectType: 'album' },
    target: { id: 'urn:tideline:group:g1', type: 'Group', name: 'Friends' },
  });
  const { pathname } = new URL((share['actor'] as { id: string }).id);
  expect(await platform.feedApi.succeed('GET', pathname)).toMatchObject({ id: 'author:1', name: 'Ada' });
  const { body: comment } = await read(`/v1/activities/${posted.get('comment')}`);
  expect(comment['object']).toMatchObject({ type: 'Note', inReplyTo: { id: 'urn:tideline:photo:p1', type: 'Image' } });
  const { body: view } = await read(`/v1/activities/${posted.get('view')}`);
  expect(view['published']).toBe('2001-02-02T03:04:05.006Z');
});

const linkedData = `application/ld+json; profile="${vocabularyUrl}"`;

test.each([
  ['application/activity+json', activityJson],
  [linkedData, 'application/ld+json'],
  ['application/ld+json', 'application/ld+json'],
  ['application/json;q=0.5, application/activity+json;q=0.6', activityJson],
  ['application/json;q=0.6, application/activity+json;q=0.5', 'application/json'],
  [`${activityJson};q=0.2, ${linkedData};q=0.9, text/html`, 'application/ld+json'],
  [`${activityJson};q=0`, 'application/json'],
  [`${activityJson};q=0, */*`, 'application/json'],
  ['application/ld+json; profile="https://example.org/other"', 'application/json'],
  ['application/*', 'application/json'],
  ['*/*', 'application/json'],
  ['text/html', 'application/json'],
  ['nonsense', 'application/json'],
])('Accept: %s gets %s', async (accept, contentType) => {
  for (const path of [home, '/v1/users/author:1/feed', `/v1/activities/${posted.get('like')}`]) {
    const { status, headers, body } = await read(path, accept);
    expect(status).toBe(200);
    expect(headers.get('content-type')?.split(';')[0]).toBe(contentType);
    expect(headers.get('vary')).toMatch(/\bAccept\b/);
    expect('@context' in body).toBe(contentType !== 'application/json');
  }
});

test('each format has an ETag of its own', async () => {
  const [plain, streams] = await Promise.all([read(home, 'application/json'), read(home)]);
  const etag = streams.headers.get('etag') ?? '';
  expect(etag).not.toBe(plain.headers.get('etag'));
  const poll = async (accept: string) => {
    const headers = { accept, 'if-none-match': etag, 'cache-control': 'max-age=0' };
    return (await platform.feedApi.request('GET', home, { actAs: reader, headers })).status;
  };
  expect([await poll(activityJson), await poll('application/json')]).toEqual([304, 200]);
});
