import { activityLimits } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { IngestClient } from './ingest-client.js';

/** Below ingest's limit of 4 MiB for an array. */
const batchSizeMaxBytes = 3.5 * 1024 * 1024;

/** An activity on its way. */
export interface Item<Place> {
  json: string;
  /** What a person looks for when the item is refused, such as `line 12`. */
  label: string;
  /** Where the source is after this item. */
  place: Place;
}

export interface PostedBatch<Place> {
  count: number;
  place: Place;
  /** The id of its first activity. */
  firstId: string;
}

/**
 * Posts activities in arrays, one after the other, and yields each that ingest took: all before it is safe. Throws
 * `invalid_request` for an item that ingest refuses, by its label; nothing of that array was taken.
 */
export async function* postBatches<Place>(
  client: IngestClient,
  items: AsyncIterable<Item<Place>>,
): AsyncGenerator<PostedBatch<Place>> {
  for await (const batch of batchesOf(items)) {
    const body = `[${batch.map(({ json }) => json).join(',')}]`;
    const answer = await client.send('POST', '/v1/activities', body).catch((error: unknown) => {
      throw naming(error, batch);
    });
    const { items: ids } = answer as { items: { id: string }[] };
    const [first] = ids;
    const last = batch.at(-1);
    if (first !== undefined && last !== undefined) {
      yield { count: batch.length, place: last.place, firstId: first.id };
    }
  }
}

async function* batchesOf<Place>(items: AsyncIterable<Item<Place>>): AsyncGenerator<Item<Place>[]> {
  let batch: Item<Place>[] = [];
  let size = 0;
  for await (const item of items) {
    const itemSize = Buffer.byteLength(item.json) + 1;
    if (batch.length === activityLimits.batchMax || (batch.length > 0 && size + itemSize > batchSizeMaxBytes)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(item);
    size += itemSize;
  }
  if (batch.length > 0) {
    yield batch;
  }
}

/** Ingest names wrong items by their index: `3.objectTitle`. */
function naming(error: unknown, batch: Item<unknown>[]): unknown {
  const details = error instanceof TidelineError ? error.details : undefined;
  if (!Array.isArray(details)) {
    return error;
  }
  const sentences = (details as { path: string; message: string }[]).map(({ path, message }) => {
    const [index = '', ...field] = path.split('.');
    return `  ${batch[Number(index)]?.label ?? index}: ${field.join('.')} ${message}`;
  });
  return new TidelineError('invalid_request', ['Ingest refused:', ...sentences].join('\n'), { cause: error });
}
