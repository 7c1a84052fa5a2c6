import { activityIdFromBytes, lowestActivityId } from '@tideline/shared/activity-id';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ListSlice } from '../inbox/list-reader.js';
import { mergeSlices } from './list-pages.js';

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
