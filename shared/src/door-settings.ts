import { z } from 'zod';
import { TidelineError } from './errors.js';

/** Who may come through the public door, how often, and from which pages: settings of the services that have one. */

const quotaMax = 1_000_000;
const proxiesMax = 10;
const delayMaxMs = 60_000;
const secretSizeMinBytes = 32;

export const doorSettings = {
  /** `iss` of every token. */
  TIDELINE_JWT_ISSUER: z.string().min(1).optional(),
  /** `aud` of every token. */
  TIDELINE_JWT_AUDIENCE: z.string().min(1).optional(),
  /** A file or an http(s) URL with the keys of RS256 and ES256 tokens. */
  TIDELINE_JWT_JWKS: z.string().min(1).optional(),
  /** The secret of HS256 tokens. */
  TIDELINE_JWT_SECRET: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= secretSizeMinBytes, `must have at least ${secretSizeMinBytes} bytes`)
    .optional(),
  /** Requests a second of one user, by key or token; 0: no limit, here and below. */
  TIDELINE_USER_QUOTA: wholeNumber(50, quotaMax),
  /** Requests a second of one service. */
  TIDELINE_SERVICE_QUOTA: wholeNumber(0, quotaMax),
  /** Requests a second of one address without a valid credential. */
  TIDELINE_ADDRESS_QUOTA: wholeNumber(100, quotaMax),
  /** Proxies before the service, whose X-Forwarded-For is believed. */
  TIDELINE_TRUST_PROXY: wholeNumber(0, proxiesMax),
  /** Origins of pages whose scripts may call. */
  TIDELINE_CORS_ORIGINS: z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .refine((origins) => origins.every(isOrigin), 'must be origins like https://app.example.com, with commas between')
    .optional(),
  /** Above this mean delay of the event loop requests are turned away; 0: never. */
  TIDELINE_EVENT_LOOP_DELAY_MAX_MS: wholeNumber(1_000, delayMaxMs),
};

export interface TokenConfig {
  issuer: string;
  audience: string;
  keys: { jwks: string } | { secret: string };
}

/** Requests a second; 0: no limit. */
export interface QuotaConfig {
  perUser: number;
  perService: number;
  perAddress: number;
}

export interface DoorConfig {
  /** undefined: tokens are not taken. */
  tokens: TokenConfig | undefined;
  quotas: QuotaConfig;
  trustedProxies: number;
  corsOrigins: readonly string[];
  /** 0: never refuse. */
  eventLoopDelayMaxMs: number;
}

const consoleOrigins = ['http://127.0.0.1:8080', 'http://localhost:8080'];

/** Throws a `configuration` error where settings do not fit together. */
export function doorConfig(given: z.infer<z.ZodObject<typeof doorSettings>>, demo: boolean): DoorConfig {
  return {
    tokens: tokenConfig(given),
    quotas: {
      perUser: given.TIDELINE_USER_QUOTA,
      perService: given.TIDELINE_SERVICE_QUOTA,
      perAddress: given.TIDELINE_ADDRESS_QUOTA,
    },
    trustedProxies: given.TIDELINE_TRUST_PROXY,
    corsOrigins: given.TIDELINE_CORS_ORIGINS ?? (demo ? consoleOrigins : []),
    eventLoopDelayMaxMs: given.TIDELINE_EVENT_LOOP_DELAY_MAX_MS,
  };
}

function tokenConfig({
  TIDELINE_JWT_ISSUER: issuer,
  TIDELINE_JWT_AUDIENCE: audience,
  TIDELINE_JWT_JWKS: jwks,
  TIDELINE_JWT_SECRET: secret,
}: z.infer<z.ZodObject<typeof doorSettings>>): TokenConfig | undefined {
  if ([issuer, audience, jwks, secret].every((value) => value === undefined)) {
    return undefined;
  }
  if (issuer === undefined || audience === undefined || (jwks === undefined) === (secret === undefined)) {
    throw new TidelineError(
      'configuration',
      'Tokens need TIDELINE_JWT_ISSUER, TIDELINE_JWT_AUDIENCE and one of TIDELINE_JWT_JWKS and TIDELINE_JWT_SECRET.',
    );
  }
  return { issuer, audience, keys: jwks === undefined ? { secret: secret ?? '' } : { jwks } };
}

function wholeNumber(fallback: number, max: number) {
  return z.coerce.number().int().min(0).max(max).default(fallback);
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
