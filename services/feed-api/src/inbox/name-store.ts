import type { Cache } from '@tideline/shared/cache';
import { unlessUnavailable } from '@tideline/shared/errors';
import { cacheUserName, decodeUserName, type UserName } from '@tideline/shared/user-names';
import type { SqlScope } from '../storage/sql-scope.js';
import { readUserNames } from '../storage/user-store.js';
import { CurrentValues } from './current-values.js';

const namesMax = 50_000;

/** Current names of users: for 5 s in this process, behind that in Redis, behind that in the database. */
export class NameStore {
  readonly #cache: Cache;
  readonly #known = new CurrentValues<UserName>(namesMax);

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** A name for each of these users; one that nobody described, or that cannot be read at present, is called by its id. */
  read(sql: SqlScope, userIds: Iterable<string>): Promise<Map<string, UserName>> {
    return this.#known.read(userIds, (unknown) => this.#readBehind(sql, unknown));
  }

  async #readBehind(sql: SqlScope, userIds: readonly string[]): Promise<Map<string, UserName>> {
    const names = await this.#readCached(userIds);
    const missing = userIds.filter((userId) => !names.has(userId));
    if (missing.length === 0) {
      return names;
    }
    const rows = (await unlessUnavailable(() => readUserNames(sql, missing))) ?? [];
    for (const userId of missing) {
      names.set(userId, { name: userId, avatar: null });
    }
    for (const { userId, name, avatar } of rows) {
      names.set(userId, { name, avatar });
    }
    await unlessUnavailable(() => this.#cache.run(rows.map((row) => cacheUserName(this.#cache, row))));
    return names;
  }

  async #readCached(userIds: readonly string[]): Promise<Map<string, UserName>> {
    const stored = await unlessUnavailable(() => {
      const { keys } = this.#cache;
      return this.#cache.readMany(userIds.map((userId) => keys.user(userId)));
    });
    const names = new Map<string, UserName>();
    for (const [i, userId] of userIds.entries()) {
      const text = stored?.[i];
      if (typeof text === 'string') {
        names.set(userId, decodeUserName(text));
      }
    }
    return names;
  }
}
