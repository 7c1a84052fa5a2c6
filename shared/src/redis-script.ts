import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua file, run by its digest. One file is one atomic step; its header says what KEYS and ARGV hold. */
export interface RedisScript {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

/**
 * Reads `<name>.lua` from the folder `lua/` beside the caller's `src/` or `dist/`. What is `included` comes before it, in this
 * order: Redis knows no modules.
 */
export function loadScript(name: string, callerUrl: string, ...included: readonly RedisScript[]): RedisScript {
  const own = readFileSync(luaFolder(name, callerUrl), 'utf8');
  const source = [...included.map((script) => script.source), own].join('');
  return { name, source, sha1: createHash('sha1').update(source).digest('hex') };
}

function luaFolder(name: string, callerUrl: string): URL {
  const path = new URL(callerUrl);
  // .../src/a/b.ts and .../dist/a/b.js both find .../lua/
  const root = path.pathname.replace(/\/(src|dist)\/(?!.*\/(src|dist)\/).*$/, '/');
  return new URL(`file://${root}lua/${name}.lua`);
}
