import { LRUCache } from 'lru-cache';

/** How old a shown name or title may be. */
const valueTtlMs = 5_000;

/** What may change, such as names, remembered in this process for 5 s. That there is nothing is a value too. */
export class CurrentValues<Value extends object> {
  readonly #known: LRUCache<string, Value>;

  constructor(sizeMax: number) {
    this.#known = new LRUCache({ max: sizeMax, ttl: valueTtlMs });
  }

  /** The value of each key; those that are not known here are read together by `readBehind`, which has one for each. */
  async read(
    keys: Iterable<string>,
    readBehind: (unknown: string[]) => Promise<ReadonlyMap<string, Value>>,
  ): Promise<Map<string, Value>> {
    const values = new Map<string, Value>();
    const unknown: string[] = [];
    for (const key of new Set(keys)) {
      const value = this.#known.get(key);
      if (value === undefined) {
        unknown.push(key);
      } else {
        values.set(key, value);
      }
    }
    if (unknown.length > 0) {
      for (const [key, value] of await readBehind(unknown)) {
        values.set(key, value);
        this.#known.set(key, value);
      }
    }
    return values;
  }
}
