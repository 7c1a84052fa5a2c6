import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importNdjson } from './import-ndjson.js';
import type { ImportTarget } from './import-target.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tideline-ndjson-'));
  path = join(folder, 'activities.ndjson');
});

afterEach(() => rmSync(folder, { recursive: true }));

function line(number: number): string {
  return JSON.stringify({ actorId: 'ada', verb: 'post', foreignId: `${number}`, objectTitle: 'Größe 🌊' });
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `${line(index + 1)}\n`).join('');
}

/** Takes every array, and asks to stop after `stopAfter` of them. */
function recordingTarget(options: { stopAfter?: number } = {}) {
  const posted: string[] = [];
  const said: string[] = [];
  const controller = new AbortController();
  let arrays = 0;
  const target: ImportTarget = {
    ingest: {
      send(_method, _path, body) {
        const items = JSON.parse(body) as { foreignId?: string }[];
        posted.push(...items.map(({ foreignId }) => foreignId ?? 'none'));
        arrays += 1;
        if (arrays === options.stopAfter) {
          controller.abort();
        }
        return Promise.resolve({ items: items.map((_, index) => ({ id: `${arrays}-${index}` })) });
      },
    },
    ingestUrl: 'http://ingest',
    hasActivity: () => Promise.resolve(true),
    stateFolder: join(folder, 'state'),
    signal: controller.signal,
    report: (text) => said.push(text),
  };
  const run = (flags = {}) => importNdjson({ path, allowRepeats: false, again: false, ...flags }, target);
  return { run, posted, said };
}

test('every line is posted as it is, empty ones and a missing last line break aside', async () => {
  writeFileSync(path, `${line(1)}\r\n\n${line(2)}\n   \n${line(3)}`);
  const { run, posted, said } = recordingTarget();

  await run();

  expect(posted).toEqual(['1', '2', '3']);
  expect(said).toEqual([`Imported 3 activities from ${path}.`]);
});

test('a second import posts nothing, and a stopped one goes on', async () => {
  writeFileSync(path, lines(1_100));
  const stopped = recordingTarget({ stopAfter: 1 });
  await expect(stopped.run()).rejects.toMatchObject({ name: 'AbortError' });
  const rest = recordingTarget();
  await rest.run();
  const again = recordingTarget();
  await again.run();

  expect(stopped.posted).toHaveLength(500);
  expect(rest.said[0]).toBe('Going on after line 500.');
  expect([rest.posted.length, rest.posted[0], rest.posted.at(-1)]).toEqual([600, '501', '1100']);
  expect([again.posted, again.said.at(-1)]).toEqual([[], `Nothing new in ${path}.`]);
});

test('a file that changed is posted from the start', async () => {
  writeFileSync(path, lines(2));
  await recordingTarget().run();
  appendFileSync(path, line(3));
  const { run, posted } = recordingTarget();

  await run();

  expect(posted).toEqual(['1', '2', '3']);
});

test.each([
  ['{"verb":', 'line 2 is not JSON'],
  ['{"verb":"post"}', 'line 2 has no foreignId'],
  [`"${'x'.repeat(2 * 1024 * 1024)}"`, 'line 2 is longer than an activity can be'],
])('a bad line is named by its number: %.20s', async (bad, message) => {
  writeFileSync(path, `${line(1)}\n${bad}\n`);

  await expect(recordingTarget().run()).rejects.toThrow(message);
});

test('lines without foreignId are taken when repeats are accepted', async () => {
  writeFileSync(path, '{"verb":"post"}\n');
  const { run, posted } = recordingTarget();

  await run({ allowRepeats: true });

  expect(posted).toEqual(['none']);
});

test('a file that is not there is an error that says so', async () => {
  await expect(recordingTarget().run()).rejects.toMatchObject({ code: 'configuration' });
});
