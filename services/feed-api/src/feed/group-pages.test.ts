import { randomBytes } from 'node:crypto';
import type { Activity } from '@tideline/shared/activity';
import { activityIdFromBytes, seededIdMinter } from '@tideline/shared/activity-id';
import { parseAggregationRules } from '@tideline/shared/aggregation-rules';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorCodec } from './cursor.js';
import { edgeAbove, edgeBelow, endPosition, headPosition } from './group-edge.js';
import { groupsAbove, groupsBelow, type RawFeed, rawItemsMax } from './group-pages.js';
import { type Group, Grouping } from './groups.js';
import { type Page, readPage } from './page.js';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const morning = Date.UTC(2026, 4, 17, 6);
const everyHour = '*=object/1';
const manyRules = 'like=target/3,share=actor/24,note=none,*=object/2';

/** The groups of activities in ten lines: what each page has to agree with. */
function oracle(activities: readonly Activity[], rules: string): Activity[][] {
  const ruleOf = new Map(rules.split(',').map((rule) => [rule.split('=')[0], (rule.split('=')[1] ?? '').split('/')]));
  const groups = new Map<string, Activity[]>();
  for (const activity of newestFirst(activities)) {
    const [by, hours] = ruleOf.get(activity.verb) ?? ruleOf.get('*') ?? [];
    const { id, actorId, objectType, objectId, targetType, targetId, verb, timestamp } = activity;
    const subject = {
      object: `${objectType}/${objectId}`,
      target: targetId && `${targetType}/${targetId}`,
      actor: actorId,
      none: id,
    }[by ?? ''];
    const key =
      subject === undefined ? id : `${verb} ${subject} ${Math.floor(timestamp / hourMs / Number(hours ?? 1))}`;
    groups.set(key, [...(groups.get(key) ?? []), activity]);
  }
  return [...groups.values()].sort(([a], [b]) => ((a?.id ?? '') < (b?.id ?? '') ? 1 : -1));
}

function newestFirst(activities: Iterable<Activity>): Activity[] {
  return [...activities].sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** A feed in memory, whose activities come and go; `visible` is what it has at present. */
function feedOf(rules: string, initial: readonly Activity[]) {
  const present = new Set(initial);
  const grouping = new Grouping(parseAggregationRules(rules));
  const cursors = new CursorCodec(randomBytes(32));
  let readItems = 0;
  const raw: RawFeed = {
    collect(before, wanted) {
      const found = newestFirst(present)
        .filter(({ id }) => id < before)
        .slice(0, wanted);
      readItems += found.length;
      return Promise.resolve(found);
    },
    heads(direction, from, until, wanted) {
      const visible = [...present].filter(({ id }) => id < until);
      const heads = oracle(visible, rules).flatMap(([head]) => head ?? []);
      const found =
        direction === 'older' ? heads.filter(({ id }) => id < from) : heads.filter(({ id }) => id > from).reverse();
      return Promise.resolve(found.slice(0, wanted));
    },
  };
  const read = async (limit: number, cursor?: string | null): Promise<Page<Group>> => {
    readItems = 0;
    const page = await readPage<Group>(
      cursors,
      {
        binding: { feed: 'grouped', reader: 'ada' },
        positionOf: headPosition,
        endOf: endPosition,
        older: (edge, wanted) => groupsBelow(raw, grouping, edgeBelow(edge), wanted),
        newer: (edge, wanted) => groupsAbove(raw, grouping, edgeAbove(edge), wanted),
      },
      { limit, cursor: cursor ?? undefined },
    );
    expect(readItems).toBeLessThanOrEqual(2 * rawItemsMax);
    return page;
  };
  /** All pages that way; `between` happens before each but the first. */
  const walk = async (way: 'next' | 'previous', limit: number, cursor?: string | null, between?: () => void) => {
    const pages = [await read(limit, cursor)];
    for (let to = pages[0]?.[way]; to != null; to = pages.at(-1)?.[way]) {
      between?.();
      pages.push(await read(limit, to));
    }
    return pages;
  };
  return { present, grouping, read, walk, expected: () => oracle([...present], rules) };
}

function summary(groups: readonly Group[]) {
  return groups.map(({ head, count, actorIds, isWhole }) => ({ id: head.id, count, actors: [...actorIds], isWhole }));
}

function expectedSummary(groups: readonly Activity[][]) {
  return groups.map((members) => ({
    id: members[0]?.id,
    count: members.length,
    actors: [...new Set(members.map(({ actorId }) => actorId))],
    isWhole: true,
  }));
}

/** Few verbs, objects and moments, so that groups interleave, meet at the edges of hours and share milliseconds. */
const anyActivity = fc
  .record({
    verb: fc.constantFrom('like', 'share', 'note', 'other'),
    object: fc.constantFrom('a', 'b', 'c'),
    target: fc.constantFrom(undefined, 'x', 'y'),
    actorId: fc.constantFrom('ann', 'bob', 'cy', 'di'),
    timestamp: fc
      .tuple(fc.nat(27), fc.constantFrom(0, 1, minuteMs, 30 * minuteMs, hourMs - 1))
      .map(([hour, offset]) => morning + hour * hourMs + offset),
    rest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .map(({ verb, object, target, actorId, timestamp, rest }): Activity => {
    const bytes = Buffer.from(rest);
    bytes.writeUIntBE(timestamp, 0, 6);
    const about = { verb, objectType: 'post', objectId: object, actorId, timestamp };
    const id = activityIdFromBytes(bytes);
    return target === undefined ? { id, ...about } : { id, ...about, targetType: 'wall', targetId: target };
  });
const anyActivities = fc.uniqueArray(anyActivity, { maxLength: 120, selector: ({ id }) => id });
const anyLimit = fc.constantFrom(1, 2, 7, 50);
const anyRules = fc.constantFrom(everyHour, manyRules, '*=object/24', '*=actor/1', '*=none');

test('down to the end and back up again is every group, each once and whole, where its newest activity is', async () => {
  await fc.assert(
    fc.asyncProperty(anyActivities, anyLimit, anyRules, async (activities, limit, rules) => {
      const feed = feedOf(rules, activities);
      const expected = expectedSummary(feed.expected());
      const down = await feed.walk('next', limit);
      expect(summary(down.flatMap(({ items }) => items))).toEqual(expected);
      expect(down.slice(0, -1).every(({ items }) => items.length === limit)).toBe(true);
      const last = down.at(-1);
      expect(last?.previous === null).toBe(down.length === 1);
      if (last?.previous != null) {
        const up = await feed.walk('previous', limit, last.previous);
        expect(summary([...up.reverse().flatMap(({ items }) => items), ...last.items])).toEqual(expected);
        expect(up[0]?.previous).toBeNull();
        // And from each of them down again.
        for (const page of up) {
          const below = expected.slice(expected.findIndex(({ id }) => id === page.items.at(-1)?.head.id) + 1);
          const again = page.next === null ? [] : await feed.walk('next', limit, page.next);
          expect(summary(again.flatMap(({ items }) => items))).toEqual(below);
        }
      }
    }),
  );
});

test('whatever comes or goes between two pages, no group is shown twice, and what stays is in one that is', async () => {
  const anyChanges = fc.array(fc.record({ add: anyActivities, remove: fc.array(fc.nat(200), { maxLength: 40 }) }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(anyActivities, anyChanges, anyLimit, anyRules, async (activities, changes, limit, rules) => {
      const feed = feedOf(rules, activities);
      const stays = new Set(activities);
      const known = new Set(activities.map(({ id }) => id));
      let step = 0;
      const down = await feed.walk('next', limit, undefined, () => {
        const { add = [], remove = [] } = changes[step++] ?? {};
        for (const i of remove) {
          const gone = [...feed.present][i];
          if (gone !== undefined) {
            feed.present.delete(gone);
            stays.delete(gone);
          }
        }
        for (const activity of add.filter(({ id }) => !known.has(id))) {
          feed.present.add(activity);
          known.add(activity.id);
        }
      });
      const shown = down.flatMap(({ items }) => items);
      const keys = shown.map(({ head }) => feed.grouping.keyOf(head));
      expect(new Set(keys).size).toBe(keys.length);
      const ids = shown.map(({ head }) => head.id);
      expect(ids).toEqual([...ids].sort().reverse());
      expect([...stays].filter((activity) => !keys.includes(feed.grouping.keyOf(activity)))).toEqual([]);
    }),
  );
});

/** Activities of one hour, a second apart from the newest on; `objectOf` says what each is about. */
function hourOf(count: number, objectOf: (i: number) => string): Activity[] {
  const mintId = seededIdMinter(Buffer.from('hour'));
  return Array.from({ length: count }, (_, i) => {
    const timestamp = morning + hourMs - 1 - Math.floor((i * (hourMs - 1)) / count);
    return {
      id: mintId(timestamp),
      actorId: `actor-${i % 13}`,
      verb: 'like',
      objectType: 'post',
      objectId: objectOf(i),
      timestamp,
    };
  });
}

test.each([7, 50])('more groups in an hour than a cursor names are each shown once, %i a page', async (limit) => {
  const feed = feedOf(
    everyHour,
    hourOf(900, (i) => `object-${i % 300}`),
  );
  const expected = expectedSummary(feed.expected());
  expect(expected).toHaveLength(300);
  const down = await feed.walk('next', limit);
  expect(summary(down.flatMap(({ items }) => items))).toEqual(expected);
  const up = await feed.walk('previous', limit, down.at(-1)?.previous);
  expect(summary(up.reverse().flatMap(({ items }) => items))).toEqual(
    expected.slice(0, -(down.at(-1)?.items.length ?? 0)),
  );
});

const rareEvery = 700;

test.each([1, 2, 50])('groups beyond the bound say so; none is lost or repeated for them, %i a page', async (limit) => {
  const feed = feedOf(
    everyHour,
    hourOf(3 * rawItemsMax, (i) => (i % rareEvery === rareEvery - 1 ? `rare-${i}` : 'hit')),
  );
  const expected = feed.expected();
  const down = await feed.walk('next', limit);
  const up = down.length === 1 ? [] : await feed.walk('previous', limit, down.at(-1)?.previous);
  for (const pages of [down, down.length === 1 ? down : [...up.reverse(), ...down.slice(-1)]]) {
    const groups = pages.flatMap(({ items }) => items);
    expect(groups.map(({ head }) => head.id)).toEqual(expected.map(([head]) => head?.id));
    for (const [i, { count, isWhole, head }] of groups.entries()) {
      const all = expected[i]?.length ?? 0;
      expect(isWhole ? count : Math.max(count, all), head.objectId).toBe(all);
      expect(isWhole && head.objectId === 'hit').toBe(false);
    }
  }
});

test('among many, too, a group whose newest goes between two pages is not shown again', async () => {
  const likes = hourOf(3 * rawItemsMax, (i) => (i % rareEvery === rareEvery - 1 ? `rare-${i}` : 'hit'));
  const feed = feedOf(everyHour, likes);
  const keys: string[] = [];
  const pages = await feed.walk('next', 1, undefined, () => {
    for (const like of likes.splice(0, 100)) {
      feed.present.delete(like);
    }
  });
  for (const { head } of pages.flatMap(({ items }) => items)) {
    keys.push(feed.grouping.keyOf(head));
  }
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toHaveLength(9);
});
