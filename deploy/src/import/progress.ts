import { Presets, SingleBar } from 'cli-progress';

const lineIntervalMs = 3_000;

export interface Progress {
  update(done: number): void;
  /** A sentence that is to stay. */
  say(line: string): void;
  stop(): void;
}

/** Shows how far something is: a bar on a terminal, elsewhere a plain line every few seconds. */
export function showProgress(what: string, total: number, done: number): Progress {
  return process.stderr.isTTY ? bar(what, total, done) : lines(what, total, done);
}

function bar(what: string, total: number, done: number): Progress {
  const format = `${what} {bar} {percentage}% | {value}/{total} | {rate}/s | {eta_formatted} left`;
  const single = new SingleBar({ format, stream: process.stderr, etaBuffer: 50 }, Presets.shades_classic);
  const rate = rateFrom(done);
  single.start(total, done, { rate: 0 });
  return {
    update: (value) => single.update(value, { rate: Math.round(rate(value)) }),
    say(line) {
      // The bar draws itself again below.
      process.stderr.write(`\r\u001B[K${line}\n`);
    },
    stop: () => single.stop(),
  };
}

function lines(what: string, total: number, done: number): Progress {
  const rate = rateFrom(done);
  let value = done;
  const timer = setInterval(() => {
    const perSecond = rate(value);
    const left = perSecond > 0 ? `, ${Math.ceil((total - value) / perSecond)} s left` : '';
    console.error(`${what}: ${value} of ${total}, ${Math.round(perSecond)}/s${left}`);
  }, lineIntervalMs);
  return {
    update(now) {
      value = now;
    },
    say: (line) => console.error(line),
    stop: () => clearInterval(timer),
  };
}

/** Per second since now. */
function rateFrom(start: number): (value: number) => number {
  const startedAt = performance.now();
  return (value) => ((value - start) * 1000) / Math.max(performance.now() - startedAt, 1);
}
