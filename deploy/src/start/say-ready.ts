import type { StartConfig } from './config.js';
import { secondsSince } from './steps.js';

/** Three lines that work when pasted at once: the follow comes first, and delivery after the 202 takes its milliseconds. */
export function sayReady({ reachableHost, ingestPort, feedApiPort }: StartConfig, startedAt: number): void {
  const ingest = `http://${reachableHost}:${ingestPort}`;
  const feedApi = `http://${reachableHost}:${feedApiPort}`;
  console.log(`
Tideline is ready after ${secondsSince(startedAt)}: write to ${ingest}, read from ${feedApi}. Ctrl-C stops it.
Every call can be read about and tried at ${ingest}/docs/ and ${feedApi}/docs/.
Ivan follows nico, nico posts, and ivan's home feed shows it:

  curl -sS -X PUT -H 'X-App-Key: abc123' ${ingest}/v1/follows/2
  curl -sS -H 'X-App-Key: abc124' -H 'Content-Type: application/json' -d '{"verb":"post","objectType":"note","objectId":"n1","objectTitle":"Hello"}' ${ingest}/v1/activities
  sleep 1; curl -sS -H 'X-App-Key: abc123' ${feedApi}/v1/feeds/home
`);
}
