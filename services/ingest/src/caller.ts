/**
 * One try of a write: when it was first tried, and the ids of what it writes. A retry under the same `Idempotency-Key` has
 * the same time and, asked in the same order, gets the same ids.
 */
export interface Attempt {
  /** Unix milliseconds: the timestamp of all that brings none. */
  acceptedAt: number;
  /** Gives a new id for a timestamp in Unix milliseconds. */
  mintId(timestamp: number): string;
}

/** Who wants a write, as it is stamped into records, and which try of it this is. */
export interface Caller extends Attempt {
  /** The user of a user key, the name of a service key. */
  callerId: string;
  requestId: string;
  /** W3C trace context, where the request brought one. */
  traceparent?: string;
  /** The caller waits until fanout is done: then a control record has to say so, or no result is written for it. */
  awaited?: true;
}
