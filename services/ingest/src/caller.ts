/** Who wants a write, as it is stamped into records. */
export interface Caller {
  /** The user of a user key, the name of a service key. */
  callerId: string;
  requestId: string;
  /** W3C trace context, where the request brought one. */
  traceparent?: string;
  /** The caller waits until fanout is done: then a control record has to say so, or no result is written for it. */
  awaited?: true;
}
