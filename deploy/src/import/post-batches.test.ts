import { TidelineError } from '@tideline/shared/errors';
import { expect, test } from 'vitest';
import { type Item, postBatches } from './post-batches.js';

function items(count: number, json = '1'): AsyncIterable<Item<number>> {
  return (async function* () {
    for (let place = 1; place <= count; place += 1) {
      yield { json, label: `line ${place}`, place };
    }
  })();
}

function recording(refusal?: Error) {
  const sizes: number[] = [];
  return {
    sizes,
    client: {
      send(_method: string, _path: string, body: string) {
        const { length } = JSON.parse(body) as unknown[];
        sizes.push(length);
        return refusal === undefined
          ? Promise.resolve({ items: Array.from({ length }, (_, index) => ({ id: `${sizes.length}-${index}` })) })
          : Promise.reject(refusal);
      },
    },
  };
}

test('arrays hold 500 at most, and each says where the source is after it', async () => {
  const { client, sizes } = recording();

  expect(await all(postBatches(client, items(1_001)))).toEqual([
    { count: 500, place: 500, firstId: '1-0' },
    { count: 500, place: 1_000, firstId: '2-0' },
    { count: 1, place: 1_001, firstId: '3-0' },
  ]);
  expect(sizes).toEqual([500, 500, 1]);
});

test('arrays stay below the size that ingest takes', async () => {
  const { client, sizes } = recording();

  await all(postBatches(client, items(5, `"${'x'.repeat(1024 * 1024)}"`)));

  expect(sizes).toEqual([3, 2]);
});

test('a refused item is named by its label', async () => {
  const details = [{ path: '2.objectId', message: 'is too long' }];
  const { client } = recording(new TidelineError('invalid_request', 'no', { details }));

  await expect(all(postBatches(client, items(3)))).rejects.toThrow('Ingest refused:\n  line 3: objectId is too long');
});

test('nothing posts nothing', async () => {
  const { client, sizes } = recording();

  expect(await all(postBatches(client, items(0)))).toEqual([]);
  expect(sizes).toEqual([]);
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) {
    list.push(item);
  }
  return list;
}
