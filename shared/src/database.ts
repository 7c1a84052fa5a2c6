import { setTimeout as delay } from 'node:timers/promises';
import pgPromise from 'pg-promise';
import { TidelineError, unavailable } from './errors.js';
import type { Logger } from './logger.js';
import { isProjectionClosed, isRefused, type OpenedAs, refusedState, sayRefused } from './refusals.js';

/**
 * TimescaleDB through pg-promise. Every wait has an end: a lost server shows as an error that `isDatabaseDown` knows,
 * never as a hanging call.
 */
const connectTimeoutMs = 5_000;
const statementTimeoutMs = 30_000;
const queryGraceMs = 5_000;
/** As long as a consumer's session: one that is frozen inside a transaction holds up its successor no longer than that. */
const idleInTransactionTimeoutMs = 10_000;
const startRetryDelayMs = 1_000;

const pgp = pgPromise<object>({
  noWarnings: true,
  error(error: Error, { dc, query }: { dc?: OpenedAs; query?: unknown }) {
    if (dc !== undefined && isRefused(error)) {
      sayRefused(dc, error, String(query));
    }
  },
});

export type Database = pgPromise.IDatabase<object>;
/** What a transaction offers; also what a plain database does. */
export type Queryable = pgPromise.IBaseProtocol<object>;

export interface DatabaseOptions {
  url: string;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  role: DatabaseRole;
  poolSize: number;
  /** For what takes longer than the statements of requests and batches may. */
  statementTimeoutMs?: number;
  logger: Logger;
}

/**
 * What sessions may do: what the statements of this service or of the tools need, by the grants of the migrations. `login`:
 * whatever the user of the URL may, who can be the owner of everything.
 */
export type DatabaseRole =
  | 'tideline_ingest'
  | 'tideline_fanout'
  | 'tideline_feed_api'
  | 'tideline_operator'
  | 'tideline_eraser'
  | 'login';

export function openDatabase(options: DatabaseOptions): Database {
  const connection = {
    ...connectAs(options.url, options.role),
    application_name: options.applicationName,
    max: options.poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs ?? statementTimeoutMs,
    // Above the server's own limit, for a connection that went silent.
    query_timeout: (options.statementTimeoutMs ?? statementTimeoutMs) + queryGraceMs,
    idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    keepAlive: true,
  };
  const openedAs: OpenedAs = { database: databaseName(options.url), role: options.role, logger: options.logger };
  const database = pgp(connection, openedAs);
  // Without a listener an idle connection that breaks would end the process.
  database.$pool.on('error', (error: Error) => options.logger.warn({ err: error.message }, 'database connection lost'));
  return database;
}

/**
 * How to connect so that every session has the role from its first statement on, and again after `reset role`. A user who
 * may not take the role cannot connect.
 */
export function connectAs(url: string, role: DatabaseRole): { connectionString: string; options?: string } {
  if (role === 'login') {
    return { connectionString: url };
  }
  // Options in the URL would take the place of ours.
  const place = new URL(url);
  const given = place.searchParams.get('options');
  place.searchParams.delete('options');
  return { connectionString: place.href, options: given === null ? `-c role=${role}` : `${given} -c role=${role}` };
}

function databaseName(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

const snapshotMode = new pgp.txMode.TransactionMode({
  tiLevel: pgp.txMode.isolationLevel.repeatableRead,
  readOnly: true,
});

/** Runs queries that all see the database as it was at the first of them. They can write nothing. */
export function inSnapshot<T>(database: Database, work: (snapshot: Queryable) => Promise<T>): Promise<T> {
  return database.tx({ mode: snapshotMode }, work);
}

const repeatableReadMode = new pgp.txMode.TransactionMode({ tiLevel: pgp.txMode.isolationLevel.repeatableRead });

/** As `inSnapshot`, for what writes as well: it fails with a serialization failure where somebody changed the same rows. */
export function inRepeatableRead<T>(database: Database, work: (transaction: Queryable) => Promise<T>): Promise<T> {
  return database.tx({ mode: repeatableReadMode }, work);
}

/** A named, server-side prepared statement. */
export function prepared(name: string, text: string, values: unknown[]): pgPromise.PreparedStatement {
  return new pgp.PreparedStatement({ name, text, values });
}

/** What to do about an error of the database, by SQLSTATE; an unknown code is not retried. */
const retryableStates: ReadonlySet<string> = new Set([
  refusedState, // the projections are closed, or a grant is missing: no record is to blame
  '28000', // this login may not connect, or not take its role
  '28P01', // its password is another one
  '3D000', // no such database, nor in the next two lines such a table or function: it is being set up anew
  '42P01',
  '42883',
  '25P03', // idle in a transaction for too long: this process was frozen
  '40001', // serialization failure
  '40P01', // deadlock
  '53100', // disk full
  '53200', // out of memory
  '53300', // too many connections
  '53400', // configuration limit exceeded
  '55P03', // lock not available
  '57014', // query cancelled: the statement timeout
  '57P01', // shut down by an administrator
  '57P02', // crash shutdown
  '57P03', // cannot connect now: starting or stopping
  '57P05', // idle session timeout
  '58000', // system error
  '58030', // input or output error
]);

/** True where the same statement may succeed later: the server is away, overloaded or lost a race. */
export function isDatabaseDown(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TidelineError) {
    return false;
  }
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return retryableStates.has(code) || code.startsWith('08');
  }
  // Without an SQLSTATE it never reached the server: sockets and pools speak in codes and sentences of their own.
  return (
    (typeof code === 'string' && /^E[A-Z]+$/.test(code)) ||
    /timeout|terminated|Connection|not queryable|ended/i.test(error.message)
  );
}

/** Runs a query; a database that is away, or whose projections are closed, becomes `unavailable`. */
export async function whileDatabaseIsUp<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    throw isDatabaseDown(error) ? unavailable(whyDatabaseIsDown(error), error) : error;
  }
}

/** One sentence about an error that `isDatabaseDown` knows, without anything that only operators should see. */
export function whyDatabaseIsDown(error: unknown): string {
  if (isProjectionClosed(error)) {
    return 'what feeds are made of is being rebuilt';
  }
  return isRefused(error) ? 'the database refuses this service something' : 'the database is not available';
}

/** What the query gives, once the database is there: waits for one that is away. */
export async function onceDatabaseIsUp<T>(query: () => Promise<T>, logger: Logger): Promise<T> {
  for (;;) {
    try {
      return await query();
    } catch (error) {
      if (!isDatabaseDown(error)) {
        throw error;
      }
      logger.warn({ err: (error as Error).message }, 'the database cannot be reached yet');
      await delay(startRetryDelayMs);
    }
  }
}

/** The query needs a table that this database does not have: set-up did not run, or that of an older version did. */
export function isUndefinedTable(error: unknown): boolean {
  return (error as { code?: unknown }).code === '42P01';
}
