import type { Cache, ScriptCall } from './cache.js';
import { loadScript } from './redis-script.js';

/** What a user is called at present. */
export interface UserName {
  name: string;
  avatar: string | null;
}

/** A name and the version of the record that gave it. */
export interface VersionedUserName extends UserName {
  userId: string;
  generation: number;
  offset: number;
}

const setNewer = loadScript('set-newer', import.meta.url);
const userNameTtlS = 86_400;

/** The call that caches a name; an older one never replaces a newer one. */
export function cacheUserName(
  cache: Cache,
  { userId, name, avatar, generation, offset }: VersionedUserName,
): ScriptCall {
  return {
    script: setNewer,
    keys: [cache.keys.user(userId)],
    args: [generation, offset, JSON.stringify({ name, avatar }), userNameTtlS],
  };
}

/** Reads what `cacheUserName` stored. */
export function decodeUserName(stored: string): UserName {
  return JSON.parse(stored.slice(stored.indexOf(':', stored.indexOf(':') + 1) + 1)) as UserName;
}
