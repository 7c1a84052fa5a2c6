/** A record that says it is a replayed one and is none. */
export class ReplayRefusedError extends Error {
  constructor(reason: string) {
    super(`not replayed: ${reason}; "tideline dead-letters replay" does it`);
    this.name = 'ReplayRefusedError';
  }
}
