import { randomBytes } from 'node:crypto';
import { includesFlag, neededFlags } from '../setup/lost-keys.js';
import { type Examination, fault, warning } from './examination.js';
import type { Redis } from './servers.js';

/** The first that has `locale-collate`. */
const versionMin = [7, 2];
const comparedIds = 200;
const idBytes = 16;

/** How many neighbours of ARGV are not in the order of their bytes, to a script. */
const countMisplaced = `
  local misplaced = 0
  for i = 2, #ARGV do
    if not (ARGV[i - 1] < ARGV[i]) then misplaced = misplaced + 1 end
  end
  return misplaced`;

const configNames = ['save', 'appendonly', 'maxmemory', 'maxmemory-policy', 'notify-keyspace-events', 'locale-collate'];

/** Whether Redis is set as a cache whose scripts compare ids has to be. */
export async function examineRedisSettings(redis: Redis, examination: Examination): Promise<void> {
  const info = await redis.info();
  examineServer((name) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '', examination);
  await examineOrder(redis, examination);
  const config = await readConfig(redis);
  examination.check(
    config !== undefined,
    warning(
      'redis_config_hidden',
      'Redis does not show its configuration: its host has forbidden CONFIG GET.',
      'Look there for what docs/operating.md says about Redis: no persistence, volatile-lru, a maxmemory, notify-keyspace-events Exe.',
    ),
  );
  if (config !== undefined) {
    examinePersistence(config, examination);
    examineMemory(config, examination);
    examineEvents(config.get('notify-keyspace-events') ?? '', examination);
  }
}

function examineServer(infoOf: (name: string) => string, examination: Examination): void {
  const version = infoOf('redis_version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = versionMin;
  examination.check(
    major > majorMin || (major === majorMin && minor >= minorMin),
    fault('redis_version', `Redis is ${version}.`, `Tideline needs ${versionMin.join('.')} or newer.`),
  );
  examination.check(
    infoOf('role') === 'master',
    fault('redis_replica', 'Redis is a replica: it takes no writes.', 'Point TIDELINE_REDIS_URL at its primary.'),
  );
}

/** Really compares: what the setting says may not be what the server has. */
async function examineOrder(redis: Redis, examination: Examination): Promise<void> {
  const ids = Array.from({ length: comparedIds }, () => randomBytes(idBytes)).sort(Buffer.compare);
  const misplaced = Number(await redis.eval(countMisplaced, 0, ...ids));
  examination.check(
    misplaced === 0,
    fault(
      'redis_locale',
      `Scripts of Redis do not compare bytes: ${misplaced} of ${ids.length - 1} pairs of ids are the wrong way round, and so are feeds.`,
      'Set locale-collate to C in the configuration of Redis, restart it, and run `npx tideline verify --all --repair`.',
    ),
  );
}

async function readConfig(redis: Redis): Promise<Map<string, string> | undefined> {
  const config = new Map<string, string>();
  try {
    for (const name of configNames) {
      const [, value = ''] = (await redis.config('GET', name)) as string[];
      config.set(name, value);
    }
    return config;
  } catch (error) {
    if ((error as Error).name === 'ReplyError') {
      return undefined;
    }
    throw error;
  }
}

function examinePersistence(config: ReadonlyMap<string, string>, examination: Examination): void {
  const save = config.get('save') ?? '';
  const appends = config.get('appendonly') === 'yes';
  examination.check(
    save === '' && !appends,
    warning(
      'redis_persistence',
      `Redis keeps its data on disk (${appends ? 'appendonly yes' : `save ${save}`}): it costs time and memory, and what it has after a restart is not used.`,
      "Set save to '' and appendonly to no.",
    ),
  );
}

function examineMemory(config: ReadonlyMap<string, string>, examination: Examination): void {
  const policy = config.get('maxmemory-policy') ?? '';
  examination.check(
    policy.startsWith('volatile-'),
    fault(
      'redis_eviction_policy',
      policy === 'noeviction'
        ? 'maxmemory-policy is noeviction: when its memory is full, Redis refuses what is to be delivered.'
        : `maxmemory-policy is ${policy}: Redis may evict keys that have to stay, such as the cache epoch.`,
      'Set maxmemory-policy to volatile-lru.',
    ),
  );
  examination.check(
    Number(config.get('maxmemory')) > 0,
    warning(
      'redis_maxmemory',
      'Redis has no maxmemory: it evicts nothing, and grows until the system ends it.',
      'Set maxmemory to what the machine has to spare; an inbox of 500 takes about 10 KB.',
    ),
  );
}

function examineEvents(flags: string, examination: Examination): void {
  const missing = [...neededFlags].filter((flag) => !includesFlag(flags, flag));
  examination.check(
    missing.length === 0,
    warning(
      'redis_keyspace_events',
      `Redis does not tell of keys that expire or are evicted (notify-keyspace-events is "${flags}"): streams notice a lost inbox only after a minute.`,
      `Set notify-keyspace-events to ${neededFlags} in its configuration; \`npx tideline setup\` sets it until Redis starts again.`,
    ),
  );
  const costly = [...flags].filter((flag) => !neededFlags.includes(flag));
  examination.check(
    costly.length === 0,
    warning(
      'redis_keyspace_events_costly',
      `Redis also tells of "${costly.join('')}" (notify-keyspace-events is "${flags}"), which slows deliveries down by up to a third.`,
      `Set notify-keyspace-events to ${neededFlags}, unless something else listens.`,
    ),
  );
}
