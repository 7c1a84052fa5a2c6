import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { TidelineError } from '@tideline/shared/errors';
import { isRefused } from '@tideline/shared/refusals';
import { runner } from 'node-pg-migrate';
import type pg from 'pg';
import type { Report } from './report.js';

/** Seen from here, it is in the same place whether this runs as source or compiled. */
const migrationsFolder = new URL('../../../shared/migrations/', import.meta.url);

const createChecksums = `
  create table if not exists migration_checksums (
    name   text primary key,
    sha256 text not null
  )`;

const recordChecksum = `
  insert into migration_checksums (name, sha256) values ($1, $2) on conflict (name) do nothing returning name`;

/**
 * Applies the files of `shared/migrations` that this database does not have yet, in one transaction. Throws
 * `configuration` where a file is another one than was applied: then nobody knows what the database has. So it does
 * where the user of the database may not do what a migration has to. Returns whether there were any.
 */
export async function applyMigrations(client: pg.Client, report: Report): Promise<boolean> {
  const checksums = await checksumsOfMigrations();
  await client.query(createChecksums);
  await refuseChanges(client, checksums);
  const applied = await run(client);
  for (const [name, sha256] of checksums) {
    await client.query(recordChecksum, [name, sha256]);
  }
  for (const { name } of applied) {
    report(`applied the migration ${name}`);
  }
  return applied.length > 0;
}

function run(client: pg.Client): ReturnType<typeof runner> {
  return runner({
    dbClient: client,
    dir: migrationsFolder.pathname,
    migrationsTable: 'migrations',
    direction: 'up',
    singleTransaction: true, // between two of them projections can be open that are empty
    noLock: true, // set-up holds one
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore }, // what it logs, it throws too
  }).catch((error: unknown) => {
    throw isRefused(error) ? new TidelineError('configuration', `${error.message}.`, { cause: error }) : error;
  });
}

/** SHA-256 by name, without the suffix, as node-pg-migrate calls them. */
export async function checksumsOfMigrations(): Promise<Map<string, string>> {
  const files = (await readdir(migrationsFolder)).filter((file) => file.endsWith('.sql')).sort();
  const checksums = new Map<string, string>();
  for (const file of files) {
    const content = await readFile(new URL(file, migrationsFolder));
    checksums.set(file.slice(0, -'.sql'.length), createHash('sha256').update(content).digest('hex'));
  }
  return checksums;
}

async function refuseChanges(client: pg.Client, checksums: ReadonlyMap<string, string>): Promise<void> {
  const { rows } = await client.query<{ name: string; sha256: string }>('select name, sha256 from migration_checksums');
  for (const { name, sha256 } of rows) {
    const current = checksums.get(name);
    if (current !== sha256) {
      throw new TidelineError(
        'configuration',
        current === undefined
          ? `This database has the migration ${name}, which this version of Tideline does not know: it is older than the database.`
          : `The migration ${name} was changed after this database got it. Migrations are never edited: restore the file and add another one.`,
      );
    }
  }
}

function ignore(): void {}
