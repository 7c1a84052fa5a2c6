import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorCodec } from './cursor.js';
import { type PageEdge, type PageSource, readPage } from './page.js';

const cursors = new CursorCodec(randomBytes(32));

/** Numbers from 0 to 255, the highest on top; they can come and go. */
function numbers(initial: Iterable<number>) {
  const present = new Set(initial);
  const isOlder = (n: number, { position, inclusive }: PageEdge) =>
    n < (position[0] ?? 0) || (inclusive && n === position[0]);
  const isNewer = (n: number, { position, inclusive }: PageEdge) =>
    n > (position[0] ?? 0) || (inclusive && n === position[0]);
  const descending = () => [...present].sort((a, b) => b - a);
  const source: PageSource<number> = {
    binding: { feed: 'numbers', reader: 'ada' },
    positionOf: (n) => Buffer.of(n),
    older: (edge, wanted) =>
      Promise.resolve(
        descending()
          .filter((n) => edge === undefined || isOlder(n, edge))
          .slice(0, wanted),
      ),
    newer: (edge, wanted) =>
      Promise.resolve(
        descending()
          .reverse()
          .filter((n) => isNewer(n, edge))
          .slice(0, wanted),
      ),
  };
  const read = (limit: number, cursor?: string | null) =>
    readPage(cursors, source, { limit, cursor: cursor ?? undefined });
  /** All pages that way, from this cursor on. */
  const walk = async (way: 'next' | 'previous', limit: number, cursor?: string | null) => {
    const pages = [await read(limit, cursor)];
    for (let to = pages[0]?.[way]; to != null; to = pages.at(-1)?.[way]) {
      pages.push(await read(limit, to));
    }
    return pages;
  };
  return { present, descending, read, walk };
}

const anyNumbers = fc.uniqueArray(fc.nat(255), { maxLength: 40 });
const anyLimit = fc.constantFrom(1, 2, 7, 50);

test('down to the end and back up again is every item, each once, in one order', async () => {
  await fc.assert(
    fc.asyncProperty(anyNumbers, anyLimit, async (initial, limit) => {
      const list = numbers(initial);
      const down = await list.walk('next', limit);
      expect(down.flatMap(({ items }) => items)).toEqual(list.descending());
      expect(down.slice(0, -1).every(({ items }) => items.length === limit)).toBe(true);
      const last = down.at(-1);
      expect(last?.previous === null).toBe(down.length === 1);
      if (last?.previous != null) {
        const up = await list.walk('previous', limit, last.previous);
        expect([...up.reverse().flatMap(({ items }) => items), ...last.items]).toEqual(list.descending());
        expect(up[0]?.previous).toBeNull();
      }
    }),
  );
});

test('whatever comes or goes between two pages, what stays is on one of them', async () => {
  const anyChanges = fc.array(fc.record({ add: anyNumbers, remove: fc.subarray([...Array(256).keys()]) }), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(anyNumbers, anyChanges, anyLimit, async (initial, changes, limit) => {
      const list = numbers(initial);
      const stays = new Set(initial);
      const change = (step: number) => {
        const { add = [], remove = [] } = changes[step] ?? {};
        remove.forEach((n) => {
          list.present.delete(n);
          stays.delete(n);
        });
        add.forEach((n) => {
          list.present.add(n);
        });
      };
      let step = 0;
      const down = [await list.read(limit)];
      for (let to = down[0]?.next; to != null; to = down.at(-1)?.next) {
        change(step++);
        down.push(await list.read(limit, to));
      }
      const seenDown = down.flatMap(({ items }) => items);
      expect(seenDown).toEqual([...seenDown].sort((a, b) => b - a));
      expect(new Set(seenDown).size).toBe(seenDown.length);
      expect([...stays].filter((n) => !seenDown.includes(n))).toEqual([]);

      const last = down.at(-1);
      const up = [];
      for (let to = last?.previous; to != null; to = up.at(-1)?.previous) {
        change(step++);
        up.push(await list.read(limit, to));
      }
      const seenUp = [...up.reverse().flatMap(({ items }) => items), ...(last?.items ?? [])];
      expect(seenUp).toEqual([...seenUp].sort((a, b) => b - a));
      expect(new Set(seenUp).size).toBe(seenUp.length);
      expect(down.length === 1 ? [] : [...stays].filter((n) => !seenUp.includes(n))).toEqual([]);
    }),
  );
});

test('on the way back there is a next page exactly if there are older items', async () => {
  const list = numbers([9, 8, 7]);
  const { next } = await list.read(2);
  const { previous } = await list.read(2, next);
  expect(await list.read(2, previous)).toMatchObject({ items: [9, 8], next: expect.any(String) as string });
  list.present.delete(7);
  expect(await list.read(2, previous)).toMatchObject({ items: [9, 8], next: null, previous: null });
});

test('who asks what is new, and gets nothing, is led back to where they were', async () => {
  const list = numbers([3, 2, 1]);
  const { before } = await list.read(2);
  const nothingNew = await list.read(2, before);
  expect(nothingNew).toMatchObject({ items: [], before: null, after: null, previous: null });
  expect((await list.read(2, nothingNew.next)).items).toEqual([3, 2]);
  list.present.add(4);
  expect((await list.read(2, before)).items).toEqual([4]);
});

test('a page that was emptied is led back from, too', async () => {
  const list = numbers([3, 2, 1]);
  const { next } = await list.read(2);
  list.present.delete(1);
  const emptied = await list.read(2, next);
  expect(emptied).toMatchObject({ items: [], before: null, after: null, next: null });
  expect((await list.read(2, emptied.previous)).items).toEqual([3, 2]);
});
