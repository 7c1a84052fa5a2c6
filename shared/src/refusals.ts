import { channel } from 'node:diagnostics_channel';
import type { Logger } from './logger.js';

/** What the database refuses a role. That is never the fault of a record, so whatever meets it waits and tries again. */

export const refusedState = '42501';

/** The role of this process may not do that. */
export function isRefused(error: unknown): error is Error {
  return error instanceof Error && (error as { code?: unknown }).code === refusedState;
}

/** The role that connections ask for does not exist: set-up did not run, or that of an older version did. */
export function isUndefinedRole(error: unknown): boolean {
  return (
    error instanceof Error && (error as { code?: unknown }).code === '22023' && /"tideline_\w+"/.test(error.message)
  );
}

const closedNames =
  /\b(follows|relations|tombstones|users|objects|authors|author_weeks|notifications|(control_)?activities|activity_counts_\w+)\b/;

/**
 * Projections were emptied, or events are missing, and no service reads them until they are whole again
 * (`close_projections()`, `close_feeds()`). The server names the table in its message alone, in whatever language.
 */
export function isProjectionClosed(error: unknown): boolean {
  return isRefused(error) && closedNames.test(error.message);
}

/** How a database was opened. */
export interface OpenedAs {
  database: string;
  role: string;
  logger: Logger;
}

export interface Refusal {
  database: string;
  role: string;
  message: string;
  query: string;
}

/** Every `Refusal` of this process, for tests: a grant that a migration forgot must not look like a slow test. */
export const refusals = channel('tideline:refusals');

export function sayRefused({ database, role, logger }: OpenedAs, error: Error, query: string): void {
  refusals.publish({ database, role, message: error.message, query } satisfies Refusal);
  // Closed projections are no fault, and everybody who reads meets them.
  if (!isProjectionClosed(error)) {
    logger.error({ err: error.message, role }, 'the database refuses what this service has to do');
  }
}
