// One request with a body of many megabytes: activities one a line, answered as they are taken; and ingest's memory meanwhile.
// usage: npm run ndjson -w bench -- [--megabytes 1024] [--authors 2000]
import { once } from 'node:events';
import { type LineStream, openLines } from '@tideline/testing/line-client';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { postBody } from './post-body.js';
import { keepResult } from './results.js';

const bytesPerMegabyte = 1024 * 1024;
/** What makes a line about 1 KiB long. */
const padding = 'and so on, '.repeat(60);
const linesPerWrite = 100;
const sampleIntervalMs = 500;

const settings = numberArguments({ megabytes: 1_024, authors: 2_000 });
const authors = Array.from({ length: settings.authors }, (_, i) => `author-${i}`);

await withBenchSystem(async (system) => {
  const memory = watchMemory(system);
  const pressure = watchCpuPressure();
  const stream = openLines(system.ingest.origin, 'demo-producer');
  const startedAt = performance.now();
  const [sent, answered] = await Promise.all([send(stream), countAnswers(stream, startedAt)]);
  const seconds = (performance.now() - startedAt) / 1_000;
  const megabytes = sent.bytes / bytesPerMegabyte;
  const measured = {
    megabytes: Math.round(megabytes),
    lines: sent.lines,
    ...answered,
    seconds: Math.round(seconds),
    megabytesPerS: Number((megabytes / seconds).toFixed(1)),
    linesPerS: Math.round(sent.lines / seconds),
    ...(await memory()),
  };
  console.log(`\nCPU pressure ${percentText(pressure())}`);
  console.table(measured);
  console.log(`kept in ${await keepResult('ndjson', { settings, measured })}`);
  if (answered.accepted !== sent.lines || answered.outOfOrder > 0) {
    throw new Error('not every line was accepted, or answers are out of order');
  }
});

async function send(stream: LineStream): Promise<{ lines: number; bytes: number }> {
  let lines = 0;
  let bytes = 0;
  while (bytes < settings.megabytes * bytesPerMegabyte) {
    const text = Array.from({ length: linesPerWrite }, (_, i) => lineText(lines + i)).join('');
    lines += linesPerWrite;
    bytes += Buffer.byteLength(text);
    if (!stream.request.write(text)) {
      await once(stream.request, 'drain');
    }
  }
  stream.request.end();
  return { lines, bytes };
}

function lineText(i: number): string {
  const activity = postBody(authors, i);
  return `${JSON.stringify({ ...activity, metadata: { ...activity.metadata, padding } })}\n`;
}

async function countAnswers(stream: LineStream, startedAt: number) {
  let lines = 0;
  let accepted = 0;
  let outOfOrder = 0;
  let firstAnswerMs = 0;
  for await (const { line, id } of stream.answers()) {
    firstAnswerMs ||= Math.round(performance.now() - startedAt);
    lines += 1;
    accepted += id === undefined ? 0 : 1;
    outOfOrder += line === lines ? 0 : 1;
    if (process.stdout.isTTY && lines % 10_000 === 0) {
      process.stdout.write(`\r${lines} lines answered`);
    }
  }
  return { accepted, outOfOrder, firstAnswerMs };
}

/** Looks at ingest's resident memory until asked for what it saw. */
function watchMemory(system: BenchSystem) {
  const samples: number[] = [];
  async function sample(): Promise<void> {
    samples.push((await system.ingestMetrics()).sum('process_resident_memory_bytes') / bytesPerMegabyte);
  }
  const sampling = setInterval(() => void sample(), sampleIntervalMs);
  return async () => {
    clearInterval(sampling);
    await sample();
    const half = samples.slice(Math.floor(samples.length / 2));
    return {
      residentAtStartMb: Math.round(samples[0] ?? Number.NaN),
      residentMaxMb: Math.round(Math.max(...samples)),
      residentMaxOfSecondHalfMb: Math.round(Math.max(...half)),
      residentAtEndMb: Math.round(samples.at(-1) ?? Number.NaN),
    };
  };
}
