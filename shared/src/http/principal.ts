export type Scope = 'write' | 'read' | 'admin';

/** Who is calling. A user key or token acts as its user; a service key has scopes and acts as anybody. */
export type Principal =
  | { kind: 'user'; name: string; userId: string }
  | { kind: 'service'; name: string; scopes: ReadonlySet<Scope> };
