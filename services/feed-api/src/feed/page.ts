import type { CursorBinding, CursorCodec, CursorDirection } from './cursor.js';

/**
 * The page protocol: every list that is read page by page, forth and back, is read through `readPage`. A page begins
 * and ends at items, not at numbers, so what comes or goes between two pages moves no other item.
 */

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

/** A page, and the cursors that lead from it. */
export interface Page<Item> {
  items: Item[];
  /** What is above the first item, and below the last; null where the page is empty. */
  before: string | null;
  after: string | null;
  /** The page above, and the one below; null where there is nothing more that way. */
  previous: string | null;
  next: string | null;
}

/** Where reading starts: at an item, which need not exist any more. */
export interface PageEdge {
  position: Buffer;
  inclusive: boolean;
}

/** A list in one order, from its top (the newest item) down. */
export interface PageSource<Row> {
  binding: CursorBinding;
  positionOf(row: Row): Buffer;
  /** Where a page begins that follows the row, where that is not its own position. */
  endOf?(row: Row): Buffer;
  /** The first `wanted` rows below the edge, or from the top, in order. Fewer mean that there are no more. */
  older(edge: PageEdge | undefined, wanted: number): Promise<Row[]>;
  /** The `wanted` rows right above the edge, the nearest first. Fewer mean that there are no more. */
  newer(edge: PageEdge, wanted: number): Promise<Row[]>;
}

/** Throws `invalid_cursor`. */
export async function readPage<Row>(
  cursors: CursorCodec,
  source: PageSource<Row>,
  { limit, cursor }: PageRequest,
): Promise<Page<Row>> {
  const from = cursor === undefined ? undefined : cursors.decode(cursor, source.binding);
  const newer = from?.direction === 'newer';
  // One more than is shown tells whether there are more.
  const rows = newer ? await source.newer(from, limit + 1) : await source.older(from, limit + 1);
  const items = newer ? rows.slice(0, limit).reverse() : rows.slice(0, limit);
  const hasMore = rows.length > limit;

  const aboveEdge = edgeBeside(items[0], (row) => source.positionOf(row), from);
  const belowEdge = edgeBeside(items.at(-1), (row) => source.endOf?.(row) ?? source.positionOf(row), from);
  // On the way down there is a page above, because the cursor came from there. On the way up it takes a look.
  const hasNewer = newer ? hasMore : from !== undefined;
  const hasOlder = newer ? (await source.older(belowEdge, 1)).length > 0 : hasMore;

  const encode = (direction: CursorDirection, edge: PageEdge | undefined) =>
    edge === undefined ? null : cursors.encode({ direction, ...edge }, source.binding);
  const before = encode('newer', aboveEdge);
  const after = encode('older', belowEdge);
  const isEmpty = items.length === 0;
  return {
    items,
    before: isEmpty ? null : before,
    after: isEmpty ? null : after,
    previous: hasNewer ? before : null,
    next: hasOlder ? after : null,
  };
}

/** An empty page ends where it began: on the other side of its cursor is all that the cursor left out. */
function edgeBeside<Row>(
  row: Row | undefined,
  positionOf: (row: Row) => Buffer,
  from: PageEdge | undefined,
): PageEdge | undefined {
  if (row !== undefined) {
    return { position: positionOf(row), inclusive: false };
  }
  return from && { position: from.position, inclusive: !from.inclusive };
}
