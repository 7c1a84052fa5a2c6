import type pg from 'pg';
import { createKey, listKeys } from '../keys/api-keys.js';

export interface SampleSource {
  name: string;
  /** undefined: the source was there already, and its key is shown once only. */
  key: string | undefined;
}

/** A producer to begin with: a service that may write. One of this name that may still write stays as it is. */
export async function addSampleSource(client: pg.ClientBase, name: string): Promise<SampleSource> {
  const keys = await listKeys(client);
  const isThere = keys.some(
    ({ kind, owner, scopes, revokedAt }) =>
      kind === 'service' && owner === name && scopes.includes('write') && revokedAt === null,
  );
  return { name, key: isThere ? undefined : (await createKey(client, { service: name, scopes: ['write'] })).key };
}

/** What to do with it: a line that can be pasted. */
export function sampleSourceText({ name, key }: SampleSource): string {
  if (key === undefined) {
    return `the sample source ${name} was there already; its key is shown once only (\`npx tideline keys create\` makes another)`;
  }
  const activity = { actorId: 'sample-user', verb: 'post', objectType: 'note', objectId: 'n1', objectTitle: 'Hello' };
  return [
    `made the sample source ${name}. Its key is shown this once: ${key}`,
    'Once ingest runs, it can post in the name of any user:',
    '',
    `  curl -sS -H 'X-App-Key: ${key}' -H 'Content-Type: application/json' -d '${JSON.stringify(activity)}' http://127.0.0.1:8081/v1/activities`,
    '',
  ].join('\n');
}
