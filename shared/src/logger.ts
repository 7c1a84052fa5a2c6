import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/** JSON lines on standard output. Never log keys, tokens or bodies. */
export function createLogger(service: string, level: string): Logger {
  return pino({ name: service, level, base: { service } });
}
