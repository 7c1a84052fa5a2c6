import type { HttpClient, PageBody } from '@tideline/testing/http-client';
import { expect } from 'vitest';
import type { SmallWorld, Written } from './small-world.js';

/** One way to look at a small world, and what is to be seen there, newest first. */
export interface View {
  path: string;
  viewer: string;
  expected(world: SmallWorld): Written[];
  /** Authors that may be absent: they are merged when a feed is read, and this view does not merge. */
  mayLack?: ReadonlySet<string>;
}

/** Every way to read what a user's home feed is made of. `pulled`: authors over the threshold. */
export function homeViews(viewer: string, pulled: ReadonlySet<string>): View[] {
  const expected = (world: SmallWorld) => world.home(viewer);
  return [
    { path: '/v1/feeds/home', viewer, expected },
    { path: '/v1/feeds/home?strategy=pull', viewer, expected },
    { path: '/v1/feeds/home?strategy=push', viewer, expected, mayLack: pulled },
    { path: '/feed', viewer, expected },
    { path: '/api/feeds/pull/', viewer, expected },
    { path: '/api/feeds/push/', viewer, expected, mayLack: pulled },
    { path: '/feed/friends', viewer, expected: (world) => world.friends(viewer) },
  ];
}

export function profileView(author: string, viewer: string): View {
  return { path: `/v1/users/${author}/feed`, viewer, expected: (world) => world.profile(author, viewer) };
}

/** The first page is right, and full where there is more than one of it. */
export async function expectFirstPage(client: HttpClient, view: View, world: SmallWorld, limit: number): Promise<void> {
  const { objectIds } = await readPage(client, view.viewer, withQuery(view.path, { limit: String(limit) }));
  const expected = view
    .expected(world)
    .filter(({ objectId, actorId }) => !lacks(view, actorId) || objectIds.includes(objectId));
  expect(objectIds, nameOf(view)).toEqual(expected.slice(0, limit).map(({ objectId }) => objectId));
}

/** So are all pages together. */
export async function expectWholeFeed(client: HttpClient, view: View, world: SmallWorld, limit: number): Promise<void> {
  const seen: string[] = [];
  for (let path: string | null = withQuery(view.path, { limit: String(limit) }); path !== null; ) {
    const page: Shown = await readPage(client, view.viewer, path);
    seen.push(...page.objectIds);
    path = page.next;
  }
  const expected = view
    .expected(world)
    .filter(({ objectId, actorId }) => !lacks(view, actorId) || seen.includes(objectId));
  expect(seen, `${nameOf(view)}, ${limit} a page`).toEqual(expected.map(({ objectId }) => objectId));
}

/** One activity is there for who may see it. */
export async function expectById(
  client: HttpClient,
  viewer: string,
  written: Written,
  world: SmallWorld,
): Promise<void> {
  const { status } = await client.request('GET', `/v1/activities/${written.id}`, { actAs: viewer });
  expect(status, `${written.objectId} by id for ${viewer}`).toBe(world.sees(viewer, written) ? 200 : 404);
}

interface Shown {
  objectIds: string[];
  /** Path and query of the page below. */
  next: string | null;
}

interface DeedPage {
  friends_feed: { object_id: string }[];
  next_url: string | null;
}

async function readPage(client: HttpClient, viewer: string, path: string): Promise<Shown> {
  const body = await client.succeed<PageBody | DeedPage>('GET', path, { actAs: viewer });
  return 'items' in body
    ? { objectIds: body.items.map(({ objectId }) => objectId), next: pathOf(body.paging.next) }
    : { objectIds: body.friends_feed.map((deed) => deed.object_id), next: pathOf(body.next_url) };
}

function pathOf(link: string | null): string | null {
  if (link === null) {
    return null;
  }
  const { pathname, search } = new URL(link);
  return pathname + search;
}

function withQuery(path: string, query: Record<string, string>): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(query)}`;
}

function lacks({ mayLack }: View, actorId: string): boolean {
  return mayLack?.has(actorId) === true;
}

function nameOf({ path, viewer }: View): string {
  return `${path} for ${viewer}`;
}
