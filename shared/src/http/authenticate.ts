import type { Request, RequestHandler } from 'express';
import { userIdSchema } from '../activity.js';
import { invalidRequest, TidelineError } from '../errors.js';
import type { TokenCheck } from './json-web-tokens.js';
import type { KeyStore } from './key-store.js';
import type { Principal, Scope } from './principal.js';
import { overQuota, type Quotas } from './quotas.js';

export interface Guards {
  keys: KeyStore;
  /** undefined: tokens are not taken. */
  tokens: TokenCheck | undefined;
  quotas: Quotas;
  tickets?: TicketCheck | undefined;
}

/** Another credential, where clients cannot send headers. */
export interface TicketCheck {
  /** The ticket of a request; undefined where it has none, and on routes that take none. */
  ticketOf(request: Request): string | undefined;
  principalOf(ticket: string): Principal | undefined;
}

interface Identity {
  principal: Principal;
  credential: string;
}

const identities = new WeakMap<Request, Identity>();

/**
 * Puts a principal on every request that passes. The others get 401, whatever they ask for, and 429 once their address
 * or the caller made too many.
 */
export function authenticate({ keys, tokens, quotas, tickets }: Guards): RequestHandler {
  async function identify(request: Request): Promise<Identity | undefined> {
    const key = request.headers['x-app-key'];
    const { authorization } = request.headers;
    const ticket = tickets?.ticketOf(request);
    if ([key, authorization, ticket].filter((given) => given !== undefined).length > 1) {
      await quotas.countStranger(addressOf(request));
      throw invalidRequest('Several credentials are given: one of them says who is calling.');
    }
    if (ticket !== undefined) {
      return identity(tickets?.principalOf(ticket), ticket);
    }
    const beforeLookUp = () => {
      if (quotas.isExhausted(addressOf(request))) {
        throw overQuota();
      }
    };
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    const credential = token ?? key;
    if (typeof credential !== 'string' || credential === '') {
      return undefined;
    }
    return identity(await (token === undefined ? keys : tokens)?.(credential, beforeLookUp), credential);
  }

  return async (request, _response, next) => {
    const identity = await identify(request);
    if (identity === undefined) {
      await quotas.countStranger(addressOf(request));
      throw unauthenticated(tokens !== undefined);
    }
    identities.set(request, identity);
    await quotas.countCaller(identity.principal);
    // Also where the route does not ask for whom the call is.
    actingAs(request, identity.principal);
    next();
  };
}

function identity(principal: Principal | undefined, credential: string): Identity | undefined {
  return principal && { principal, credential };
}

function unauthenticated(withTokens: boolean): TidelineError {
  const token = withTokens ? ', or a valid token as Authorization: Bearer' : '';
  return new TidelineError('unauthenticated', `A valid key is needed in X-App-Key${token}.`);
}

/** Where a request comes from. A connection that is gone has no address any more. */
export function addressOf(request: Request): string {
  return request.ip ?? '';
}

/** The principal of an authenticated request. */
export function principalOf(request: Request): Principal {
  return identityOf(request).principal;
}

/** The key or token that an authenticated request came with. Never to be logged or stored. */
export function credentialOf(request: Request): string {
  return identityOf(request).credential;
}

function identityOf(request: Request): Identity {
  const identity = identities.get(request);
  if (identity === undefined) {
    throw unauthenticated(false);
  }
  return identity;
}

/** Who a request turned out to be from, for the log; undefined for strangers. */
export function callerOf(request: Request): { kind: string; name: string } | undefined {
  const principal = identities.get(request)?.principal;
  return principal && { kind: principal.kind, name: principal.kind === 'user' ? principal.userId : principal.name };
}

/** Throws `forbidden` where a service key lacks the scope. A user key has what its user may do. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.kind === 'service' && !principal.scopes.has(scope)) {
    throw new TidelineError('forbidden', `This key lacks the scope ${scope}.`);
  }
}

/** Throws `forbidden` for user keys. */
export function requireService(principal: Principal, scope: Scope): void {
  if (principal.kind !== 'service') {
    throw new TidelineError('forbidden', 'This route is for service keys.');
  }
  requireScope(principal, scope);
}

/** The user that X-Act-As names, or undefined. Only a service may act as somebody else. */
export function actingAs(request: Request, principal: Principal): string | undefined {
  const header = request.headers['x-act-as'];
  if (header === undefined) {
    return undefined;
  }
  const named = userIdSchema.safeParse(header);
  if (!named.success) {
    throw invalidRequest('X-Act-As must be a user id.');
  }
  if (principal.kind === 'user' && principal.userId !== named.data) {
    throw new TidelineError('forbidden', 'A user key acts as its own user only.');
  }
  return named.data;
}

/** The user that "me" means in this request. */
export function callingUser(request: Request, principal: Principal): string {
  const user = actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : undefined);
  if (user === undefined) {
    throw invalidRequest('A service key needs X-Act-As here, to say for which user it calls.');
  }
  return user;
}
