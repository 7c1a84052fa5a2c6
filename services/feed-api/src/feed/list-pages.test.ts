import type { Activity } from '@tideline/shared/activity';
import {
  activityIdFromBytes,
  activityIdToBytes,
  highestActivityId,
  lowestActivityId,
} from '@tideline/shared/activity-id';
import type { ScriptCall } from '@tideline/shared/cache';
import { FeedKeys } from '@tideline/shared/feed-keys';
import type { ListSlice } from '@tideline/shared/feed-lists';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SqlScope } from '../storage/sql-scope.js';
import { userFeed } from './feed.js';
import type { FeedTools } from './feed-tools.js';
import { mergeSlices, readLists } from './list-pages.js';

const ids = Array.from({ length: 60 }, (_, i) => activityIdFromBytes(Buffer.alloc(16, 1 + i * 4)));

interface List {
  ids: string[];
  floor: string;
}

const anyList: fc.Arbitrary<List> = fc
  .record({ ids: fc.subarray(ids), floor: fc.oneof(fc.constantFrom(...ids), fc.constant(lowestActivityId)) })
  .map(({ ids: all, floor }) => ({ ids: newestFirst(all.filter((id) => id >= floor)), floor }));

function newestFirst(some: Iterable<string>): string[] {
  return [...some].sort((a, b) => (a < b ? 1 : -1));
}

/** What the script gives of a list, as `decodeListSlice` reads it. */
function slice(list: List, before: string | undefined, count: number): ListSlice {
  const found = list.ids.filter((id) => before === undefined || id < before).slice(0, count);
  const reachesFloor = found.length < count;
  return {
    state: 'ready',
    ids: found,
    completeDownTo: reachesFloor ? list.floor : (found.at(-1) ?? list.floor),
    reachesFloor,
    floor: list.floor,
    length: list.ids.length,
  };
}

test('a merge has every id of all lists down to where all are complete, each once, newest first', () => {
  fc.assert(
    fc.property(fc.array(anyList, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 20 }), (lists, count) => {
      const { ids: merged, completeDownTo } = mergeSlices(lists.map((list) => slice(list, undefined, count)));
      const all = newestFirst(new Set(lists.flatMap((list) => list.ids)));
      expect(merged).toEqual(all.filter((id) => id >= completeDownTo));
      expect(lists.every(({ floor }) => completeDownTo >= floor)).toBe(true);
    }),
  );
});

test('round after round it comes down to the highest floor, and nothing is lost or repeated on the way', () => {
  fc.assert(
    fc.property(fc.array(anyList, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (lists, count) => {
      const floor = lists.reduce((highest, list) => (list.floor > highest ? list.floor : highest), lowestActivityId);
      const found: string[] = [];
      let below: string | undefined;
      for (let round = 0; ; round += 1) {
        expect(round).toBeLessThan(200);
        const merged = mergeSlices(lists.map((list) => slice(list, below, count)));
        found.push(...merged.ids);
        if (merged.atFloor) {
          expect(merged.completeDownTo).toBe(floor);
          break;
        }
        below = merged.completeDownTo;
      }
      const all = newestFirst(new Set(lists.flatMap((list) => list.ids)));
      expect(found).toEqual(all.filter((id) => id >= floor));
    }),
  );
});

test('empty lists that are complete are the end of a feed', () => {
  const empty = slice({ ids: [], floor: lowestActivityId }, undefined, 10);
  expect(mergeSlices([empty, empty])).toEqual({ ids: [], completeDownTo: lowestActivityId, atFloor: true });
});

/** Tools that find these slices in Redis, one a round, and hold every second activity for deleted. */
function toolsWith(slices: readonly List[]): FeedTools {
  let round = 0;
  const answer = (list: List, before: string | undefined, count: number) => {
    const { state, ids: found, floor, length } = slice(list, before, count);
    return [Buffer.from(state), Buffer.concat(found.map(activityIdToBytes)), activityIdToBytes(floor), length];
  };
  const tools = {
    cache: {
      keys: new FeedKeys('test', '1'),
      run: ([, main]: ScriptCall[]) => {
        const [, before, count] = main?.args ?? [];
        const list = slices[round] ?? { ids: [], floor: lowestActivityId };
        round += main === undefined ? 0 : 1;
        const below = Buffer.isBuffer(before) ? activityIdFromBytes(before) : undefined;
        return Promise.resolve(main === undefined ? [] : [null, answer(list, below, Number(count)), Buffer.alloc(0)]);
      },
    },
    registers: {
      headCall: () => ({}),
      confirm: () => Promise.resolve({ unfollowed: new Set(), hidden: new Set(), merged: [] }),
    },
    tombstones: {
      refresh: () => ({
        call: {},
        confirm: () => Promise.resolve({ cover: ({ id }: Activity) => ids.indexOf(id) % 2 === 1 }),
      }),
    },
    bodies: { read: (_sql: unknown, some: string[]) => Promise.resolve(some.map((id) => ({ id, actorId: 'a' }))) },
    rebuilder: { request: () => undefined },
    inboxCap: 10,
  };
  return tools as unknown as FeedTools;
}

test('a floor that rises between two rounds of one page repeats nothing', async () => {
  const whole = { ids: newestFirst(ids), floor: lowestActivityId };
  // By the second round the list was trimmed to its newest ten, all of which the first round gave.
  const trimmed = { ids: whole.ids.slice(0, 10), floor: whole.ids[9] ?? '' };
  const page = await readLists(toolsWith([whole, trimmed]), {} as SqlScope, userFeed('a', 'b'), highestActivityId, 20);
  expect(page?.activities.map(({ id }) => id)).toEqual(
    whole.ids.slice(0, 28).filter((id) => ids.indexOf(id) % 2 === 0),
  );
  expect(page?.completeDownTo).toBe(whole.ids[27]);
});

test('a cursor below the floor of a list goes on from where it is', async () => {
  const list = { ids: newestFirst(ids).slice(0, 10), floor: newestFirst(ids)[9] ?? '' };
  const cursor = newestFirst(ids)[20] ?? '';
  const page = await readLists(toolsWith([list]), {} as SqlScope, userFeed('a', 'b'), cursor, 20);
  expect(page).toEqual({ activities: [], completeDownTo: cursor });
});
