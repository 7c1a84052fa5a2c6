import { readFileSync } from 'node:fs';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { userIdSchema } from '../activity.js';
import { digestOfKey } from '../api-key.js';
import type { TokenConfig } from '../door-settings.js';
import { TidelineError, unavailable } from '../errors.js';
import type { Principal } from './principal.js';

/**
 * The user that a JSON Web Token speaks for, or undefined where it is not valid. `beforeCheck` is called, and may
 * throw, where the token is not one that was found valid a moment ago. Throws `unavailable` where the keys to check it
 * with cannot be had.
 */
export type TokenCheck = (token: string, beforeCheck: () => void) => Promise<Principal | undefined>;

const clockToleranceS = 5;
const keysTimeoutMs = 3_000;
const memoryTtlMs = 10_000;
const tokensMax = 10_000;

/** Throws `configuration` where the file of keys cannot be read. */
export function tokenCheck({ issuer, audience, keys }: TokenConfig): TokenCheck {
  const [algorithms, getKey] = 'secret' in keys ? secretKey(keys.secret) : [['RS256', 'ES256'], keySet(keys.jwks)];
  // Which algorithms are taken is never the token's choice: a public key cannot be used as a secret.
  const options = { issuer, audience, algorithms, clockTolerance: clockToleranceS, requiredClaims: ['exp', 'sub'] };
  const valid = new LRUCache<string, Principal>({ max: tokensMax });
  return async (token, beforeCheck) => {
    // As with keys, nothing here holds a credential longer than its request.
    const name = digestOfKey(token).toString('base64');
    const remembered = valid.get(name);
    if (remembered !== undefined) {
      return remembered;
    }
    beforeCheck();
    const payload = await verified(token, getKey, options);
    const userId = userIdSchema.safeParse(payload?.sub);
    if (payload?.exp === undefined || !userId.success) {
      return undefined;
    }
    const principal: Principal = { kind: 'user', name: userId.data, userId: userId.data };
    const leftMs = (payload.exp + clockToleranceS) * 1000 - Date.now();
    if (leftMs >= 1) {
      valid.set(name, principal, { ttl: Math.min(memoryTtlMs, Math.floor(leftMs)) });
    }
    return principal;
  };
}

async function verified(
  token: string,
  getKey: JWTVerifyGetKey,
  options: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, getKey, options);
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) {
      return undefined;
    }
    throw error;
  }
}

function secretKey(secret: string): [algorithms: string[], getKey: JWTVerifyGetKey] {
  const key = new TextEncoder().encode(secret);
  return [['HS256'], () => key];
}

function keySet(place: string): JWTVerifyGetKey {
  if (!/^https?:/i.test(place)) {
    return localKeySet(place);
  }
  const remote = createRemoteJWKSet(new URL(place), { timeoutDuration: keysTimeoutMs });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      throw isAboutToken(error) ? error : unavailable('the keys of tokens are not available', error);
    }
  };
}

function localKeySet(path: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(path, 'utf8')) as JSONWebKeySet);
  } catch (error) {
    throw new TidelineError('configuration', `TIDELINE_JWT_JWKS: ${path} holds no JSON Web Key Set.`, { cause: error });
  }
}

/** There are keys, and none for this token. */
function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
