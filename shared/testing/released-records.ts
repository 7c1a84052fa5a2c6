import { readFileSync } from 'node:fs';

/** A record as a release wrote it to the topic. */
export interface ReleasedRecord {
  name: string;
  key: string;
  value: string;
}

/**
 * Records of every kind as releases with this version wrote them. These files stay as they are for ever: topics, and what
 * operators keep of them, hold such records. Throws where a version has none.
 */
export function releasedRecords(version: number): ReleasedRecord[] {
  const file = new URL(`fixtures/records-v${version}.ndjson`, import.meta.url);
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ReleasedRecord);
}
