import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inCheckout } from '@tideline/deploy/servers/checkout';

/** A mistake that somebody could make, as a change of the sources. */
export interface PlantedBug {
  name: string;
  edits: readonly Edit[];
}

interface Edit {
  file: string;
  /** Occurs in the file, so often that each is one mistake: all are replaced. */
  find: string;
  replace: string;
}

const insertIds = 'services/fanout/lua/insert-ids.lua';
const checkFence = 'services/fanout/lua/check-fence.lua';
const setFence = 'services/fanout/lua/set-fence.lua';
const fencedReply = `  return redis.error_reply('FENCED another consumer owns the partition')\n`;

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'skip the floor on trim',
    edits: [
      {
        file: insertIds,
        find: `string.sub(sentinel, 1, 1) .. floor .. string.sub(sentinel, id_bytes + 2)`,
        replace: 'sentinel',
      },
    ],
  },
  {
    name: 'drop the tie-break',
    edits: [
      {
        file: 'services/feed-api/src/storage/time-windows.ts',
        find: `'a.time between $<lower> and $<upper> and a.id < $<from> and a.id >= $<horizon>'`,
        replace: `'a.time >= $<lower> and a.time < $<upper>'`,
      },
    ],
  },
  {
    name: 'follow-merge without the floor',
    edits: [{ file: insertIds, find: ' and not (floor and id < floor)', replace: '' }],
  },
  {
    name: 'rebuild without a token',
    edits: [
      {
        file: 'services/feed-api/lua/finish-list.lua',
        find: `if not sentinel or string.sub(sentinel, 1, 1) ~= 'B' or string.sub(sentinel, id_bytes + 2) ~= ARGV[2] then
  return 0
end`,
        replace: `sentinel = sentinel or 'B' .. string.rep('\\0', id_bytes)`,
      },
    ],
  },
  {
    name: 'building treated as readable',
    edits: [
      {
        file: 'services/feed-api/lua/read-list.lua',
        find: `  return { 'building', '', '', 0 }\n`,
        replace: '',
      },
    ],
  },
  {
    name: 'no dedupe at merge',
    edits: [
      {
        file: 'services/feed-api/src/feed/list-pages.ts',
        find: 'const ids = new Set<string>();',
        replace: 'const ids = Object.assign([] as string[], { add: (id: string) => ids.push(id) });',
      },
    ],
  },
  {
    name: 'last writer wins by clock',
    edits: [
      {
        file: 'shared/src/projections.ts',
        find: 'where (excluded.log_generation, excluded.log_offset) > (f.log_generation, f.log_offset)',
        replace: 'where excluded.changed_at > f.changed_at',
      },
    ],
  },
  {
    name: 'no fence',
    edits: [
      { file: checkFence, find: fencedReply, replace: '' },
      { file: setFence, find: fencedReply, replace: '  return 1\n' },
      {
        file: 'services/fanout/src/storage/partition-fences.ts',
        find: 'epoch = $2 for share',
        replace: 'epoch >= $2 for share',
      },
    ],
  },
  {
    name: 'cursor advanced past unshown items',
    edits: [
      {
        file: 'services/feed-api/src/feed/page.ts',
        find: 'edgeBeside(items.at(-1), ',
        replace: 'edgeBeside(newer ? items.at(-1) : rows.at(-1), ',
      },
    ],
  },
  {
    name: 'tombstone not bound to the author',
    edits: [
      {
        file: 'services/feed-api/src/inbox/tombstone-store.ts',
        find: 'this.#entries.size > 0 &&',
        replace: '[...this.#entries].some((entry) => entry.startsWith(id)) ||',
      },
    ],
  },
  {
    name: 'Redis persistence believed after restart',
    edits: [{ file: 'shared/src/cache.ts', find: '/run_id:(\\S+)/.exec(info)?.[1]', replace: `'any'` }],
  },
  {
    name: 'locale collation',
    edits: [
      {
        file: 'deploy/native/redis.sh',
        find: 'launch_in_root redis redis redis-server',
        replace: `launch_in_root redis redis sh -c 'localedef -i en_US -f UTF-8 /data/en_US.UTF-8; LOCPATH=/data exec redis-server "$@"' sh`,
      },
      { file: 'deploy/native/redis.sh', find: '--locale-collate C ', replace: '--locale-collate en_US.UTF-8 ' },
    ],
  },
];

/** Plants a bug in a checkout. Throws where the sources are not as they were when it was thought of. */
export async function plant(bug: PlantedBug, checkout: string): Promise<void> {
  for (const [path, source] of await sourcesWith(bug, checkout)) {
    await writeFile(path, source);
  }
}

/** What the files of a checkout would be with the bug. Throws where the sources are not as they were. */
export async function sourcesWith(
  { name, edits }: PlantedBug,
  checkout = inCheckout('.'),
): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const path = join(checkout, file);
    const source = sources.get(path) ?? (await readFile(path, 'utf8'));
    if (!source.includes(find)) {
      throw new Error(`"${name}" cannot be planted: ${file} does not have ${JSON.stringify(find)}`);
    }
    sources.set(
      path,
      source.replaceAll(find, () => replace),
    );
  }
  return sources;
}
