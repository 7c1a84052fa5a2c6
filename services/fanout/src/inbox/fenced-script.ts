import { recordLive } from '@tideline/shared/live-records';
import { loadScript, type RedisScript } from '@tideline/shared/redis-script';

const checkFence = loadScript('check-fence', import.meta.url);

/** A script of fanout that writes only for the owner of a partition, and records what those who watch are told. */
export function loadFencedScript(name: string): RedisScript {
  return loadScript(name, import.meta.url, checkFence, recordLive);
}
