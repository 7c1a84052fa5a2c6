import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { TidelineError } from '@tideline/shared/errors';
import { type Checkpoint, checkpoint } from './checkpoint.js';
import type { ImportTarget } from './import-target.js';
import { type Item, postBatches } from './post-batches.js';
import { showProgress } from './progress.js';

export interface NdjsonSource {
  path: string;
  /** Post lines without a foreignId too: they are added once more by every attempt that is repeated. */
  allowRepeats: boolean;
  /** Post everything, whatever was posted before. */
  again: boolean;
}

/** Where reading goes on, in a file that is still the same. */
interface NdjsonState extends FileVersion {
  lines: number;
  bytes: number;
  probeId: string;
}

interface FileVersion {
  size: number;
  modifiedAtMs: number;
}

interface Place {
  lines: number;
  bytes: number;
}

/** Posts a file of activities, one JSON object a line, through the public door. Adds nothing twice. */
export async function importNdjson(source: NdjsonSource, target: ImportTarget): Promise<void> {
  const { path, version } = await openable(source.path);
  const file = checkpoint<NdjsonState>(target.stateFolder, path, target.ingestUrl);
  const state = source.again ? undefined : await readState(file, version, target);
  const start: Place = state ?? { lines: 0, bytes: 0 };
  if (start.bytes > 0 && start.bytes < version.size) {
    target.report(`Going on after line ${start.lines}.`);
  }
  const count = await post({ path, version, start, allowRepeats: source.allowRepeats }, file, target);
  target.report(count === 0 ? `Nothing new in ${source.path}.` : `Imported ${count} activities from ${source.path}.`);
}

async function openable(path: string): Promise<{ path: string; version: FileVersion }> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { path: await realpath(path), version: { size, modifiedAtMs: mtimeMs } };
  } catch (error) {
    throw new TidelineError('configuration', `The file cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function readState(
  file: Checkpoint<NdjsonState>,
  version: FileVersion,
  target: ImportTarget,
): Promise<NdjsonState | undefined> {
  const state = await file.read();
  if (state === undefined) {
    return undefined;
  }
  if (state.size !== version.size || state.modifiedAtMs !== version.modifiedAtMs) {
    target.report('The file has changed since it was imported: importing all of it.');
    return undefined;
  }
  if (!(await target.hasActivity(state.probeId))) {
    target.report('What was imported before is not there any more: importing everything.');
    return undefined;
  }
  return state;
}

interface Run {
  path: string;
  version: FileVersion;
  start: Place;
  allowRepeats: boolean;
}

async function post(run: Run, file: Checkpoint<NdjsonState>, target: ImportTarget): Promise<number> {
  const progress = showProgress('bytes', run.version.size, run.start.bytes);
  let count = 0;
  try {
    for await (const batch of postBatches(target.ingest, itemsOf(run))) {
      count += batch.count;
      progress.update(batch.place.bytes);
      await file.write({ ...run.version, ...batch.place, probeId: batch.firstId });
      target.signal.throwIfAborted();
    }
  } finally {
    progress.stop();
  }
  return count;
}

async function* itemsOf({ path, start, allowRepeats }: Run): AsyncGenerator<Item<Place>> {
  for await (const { bytes, place } of linesOf(path, start)) {
    const text = bytes.toString('utf8').trim();
    if (text !== '') {
      const label = `line ${place.lines}`;
      checkLine(text, label, allowRepeats);
      yield { json: text, label, place };
    }
  }
}

/** What has to be known here; the rest is ingest's to judge. */
function checkLine(text: string, label: string, allowRepeats: boolean): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TidelineError('invalid_request', `${label} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!allowRepeats && typeof value === 'object' && value !== null && !Object.hasOwn(value, 'foreignId')) {
    throw new TidelineError(
      'invalid_request',
      `${label} has no foreignId: if this import were repeated, it would be added again. Give every line a foreignId and a timestamp, or accept that with --allow-repeats.`,
    );
  }
}

const newline = 0x0a;
const lineSizeMaxBytes = 1024 * 1024;

async function* linesOf(path: string, start: Place): AsyncGenerator<{ bytes: Buffer; place: Place }> {
  let { lines, bytes } = start;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { start: start.bytes }) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(newline); at !== -1; at = rest.indexOf(newline)) {
      lines += 1;
      bytes += at + 1;
      yield { bytes: rest.subarray(0, at), place: { lines, bytes } };
      rest = rest.subarray(at + 1);
    }
    if (rest.length > lineSizeMaxBytes) {
      throw new TidelineError('invalid_request', `line ${lines + 1} is longer than an activity can be.`);
    }
  }
  // The last line may have no line break.
  if (rest.length > 0) {
    yield { bytes: rest, place: { lines: lines + 1, bytes: bytes + rest.length } };
  }
}
