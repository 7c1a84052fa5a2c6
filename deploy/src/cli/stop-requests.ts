/** One key press arrives several times: from the terminal, and again from npm, which passes it on. */
const echoMaxMs = 500;

export interface StopRequests {
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  stop: AbortSignal;
  /** Aborted by the next one: whoever asks twice does not want to wait. */
  kill: AbortSignal;
}

export function listenForStop(): StopRequests {
  const stop = new AbortController();
  const kill = new AbortController();
  let firstAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstAt ??= performance.now();
      const isEcho = performance.now() - firstAt < echoMaxMs;
      (isEcho ? stop : kill).abort();
    });
  }
  return { stop: stop.signal, kill: kill.signal };
}
