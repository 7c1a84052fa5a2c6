import { createHash } from 'node:crypto';

/** What makes two requests the same write. */
export interface WriteRequest {
  method: string;
  /** Path and query. */
  url: string;
  actAs: string | undefined;
  /** As parsed: neither whitespace nor the order of names matters. */
  body: unknown;
}

/** SHA-256 of the request, in hex. */
export function fingerprintOf({ method, url, actAs, body }: WriteRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([method, url, actAs, body], sortNames))
    .digest('hex');
}

function sortNames(_name: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}
