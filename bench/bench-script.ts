import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisScript } from '@tideline/shared/redis-script';

/** A script of the benches' own. */
export function benchScript(name: string): RedisScript {
  const source = readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
  return { name, source, sha1: createHash('sha1').update(source).digest('hex') };
}
