import type pg from 'pg';
import { type Examination, fault, warning } from './examination.js';

/** The pools of one process each of ingest, fanout and feed-api, with room for tools. */
const connectionsMin = 40;
/** Above this part in use, the next process may find none. */
const connectionsUsedMax = 0.8;

interface Server {
  inRecovery: boolean;
  readOnly: boolean;
  encoding: string;
  connectionLimit: number;
  connectionsUsed: number;
  installed: string;
  available: string;
}

const selectSettings = `
  select name, setting from pg_settings
  where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts')`;

// What is reserved for administrators is no use to services. A database may have a limit of its own; -1 is none.
const selectServer = `
  select pg_is_in_recovery() as "inRecovery",
         current_setting('default_transaction_read_only')::boolean as "readOnly",
         current_setting('server_encoding') as encoding,
         least(
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
           (select nullif(datconnlimit, -1) from pg_database where datname = current_database())
         ) as "connectionLimit",
         (select numbackends from pg_stat_database where datname = current_database()) as "connectionsUsed",
         extversion as installed, default_version as available
  from pg_extension e join pg_available_extensions a on a.name = e.extname
  where extname = 'timescaledb'`;

/** What Postgres has to do for what Tideline promises: keep what it said it kept, take writes, have room for connections. */
export async function examineDatabaseSettings(database: pg.Client, examination: Examination): Promise<void> {
  const { rows: settings } = await database.query<{ name: string; setting: string }>(selectSettings);
  const values = new Map(settings.map(({ name, setting }) => [name, setting]));
  for (const [name, why] of Object.entries(mustBeOn)) {
    const value = values.get(name) ?? 'unknown';
    examination.check(
      value !== 'off',
      fault(
        `database_${name}`,
        `Postgres runs with ${name} = ${value}: ${why}.`,
        `Set ${name} = on in postgresql.conf, or take it from \`alter system\`, \`alter database\` or \`alter role\`, and reload.`,
      ),
    );
  }
  const { rows } = await database.query<Server>(selectServer);
  if (rows[0] !== undefined) {
    examineServer(rows[0], examination);
  }
}

const mustBeOn = {
  fsync: 'what was committed may be gone, or damaged, after a crash',
  full_page_writes: 'a page half written in a crash damages the database',
  synchronous_commit: 'what was committed may be gone after a crash, while Kafka and Redis count on it',
  autovacuum: 'tables grow, plans go wrong, and in the end the database stops taking writes',
  track_counts: 'autovacuum does not know where there is work, and does none',
};

function examineServer(server: Server, examination: Examination): void {
  const { connectionLimit, connectionsUsed, installed, available } = server;
  examination.check(
    !server.inRecovery && !server.readOnly,
    fault(
      'database_read_only',
      'The database takes no writes: it is a replica, or has default_transaction_read_only.',
      'Point TIDELINE_DATABASE_URL at the primary.',
    ),
  );
  examination.check(
    server.encoding === 'UTF8',
    fault(
      'database_encoding',
      `The database is encoded as ${server.encoding}, which does not have every character.`,
      'Make it anew with `encoding UTF8`, and restore it into that.',
    ),
  );
  examination.check(
    connectionLimit >= connectionsMin,
    fault(
      'database_connections_few',
      `Services may have ${connectionLimit} connections to the database, and one process of each may want ${connectionsMin}.`,
      'Raise max_connections, or `alter database … connection limit`.',
    ),
  );
  examination.check(
    connectionsUsed <= connectionLimit * connectionsUsedMax,
    warning(
      'database_connections_scarce',
      `${connectionsUsed} of ${connectionLimit} connections to the database are in use.`,
      'Raise max_connections before starting more processes, and look in pg_stat_activity for whose they are.',
    ),
  );
  examination.check(
    installed === available,
    warning(
      'timescaledb_outdated',
      `The server has TimescaleDB ${available}, and this database still works with ${installed}.`,
      'Run `alter extension timescaledb update` as the first statement of a session, with the services stopped.',
    ),
  );
}
