import type { Cache } from '@tideline/shared/cache';
import { unlessUnavailable } from '@tideline/shared/errors';
import { objectName } from '@tideline/shared/feed-keys';
import { type FoundObjects, type ObjectReference, readCachedObjects, readObjects } from '@tideline/shared/objects';
import type { SqlScope } from '../storage/sql-scope.js';
import { CurrentValues } from './current-values.js';

const titlesMax = 50_000;

/** What an object is called at present; undefined: it is not registered, or has no title. */
export type TitleOf = (type: string, id: string) => string | undefined;

/** Current titles of objects: for 5 s in this process, behind that in Redis, behind that in the database. */
export class TitleStore {
  readonly #cache: Cache;
  readonly #known = new CurrentValues<{ title: string | undefined }>(titlesMax);

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async read(sql: SqlScope, objects: readonly ObjectReference[]): Promise<TitleOf> {
    const references = new Map(objects.map((object) => [objectName(object.type, object.id), object]));
    const titles = await this.#known.read(references.keys(), async (unknown) => {
      const wanted = unknown.flatMap((name) => references.get(name) ?? []);
      const found = await this.#readBehind(sql, wanted);
      return new Map(unknown.map((name) => [name, { title: found.get(name)?.title ?? undefined }]));
    });
    return (type, id) => titles.get(objectName(type, id))?.title;
  }

  /** A page does not wait for a title: while the database is away, what is not in Redis is called as its activity calls it. */
  async #readBehind(sql: SqlScope, wanted: readonly ObjectReference[]): Promise<FoundObjects> {
    const found = await unlessUnavailable(() => readObjects({ cache: this.#cache, database: sql }, wanted));
    return found ?? (await readCachedObjects(this.#cache, wanted));
  }
}
