import { Redis } from 'ioredis';

const reconnectDelayStepMs = 50;
const reconnectDelayMaxMs = 1_000;

export interface RedisTimeouts {
  connectTimeoutMs: number;
  commandTimeoutMs: number;
}

/**
 * A connection to Redis that is not opened yet and then goes on trying for ever. A command that cannot be sent, or is not
 * answered in time, fails. Nothing is sent again: after a reconnect a command may have run twice, so every caller decides
 * about repeating itself.
 */
export function redisConnection(url: string, { connectTimeoutMs, commandTimeoutMs }: RedisTimeouts): Redis {
  return new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (attempt) => Math.min(attempt * reconnectDelayStepMs, reconnectDelayMaxMs),
  });
}
