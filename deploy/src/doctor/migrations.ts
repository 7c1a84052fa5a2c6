import type pg from 'pg';
import { checksumsOfMigrations } from '../setup/apply-migrations.js';
import { type Examination, type Finding, fault } from './examination.js';

/** Whether this database has exactly the migrations of this version of Tideline. */
export async function examineMigrations(database: pg.Client, examination: Examination): Promise<void> {
  const { rows } = await database.query<{ name: string; sha256: string | null }>(
    'select name, sha256 from migrations left join migration_checksums using (name)',
  );
  const applied = new Map(rows.map(({ name, sha256 }) => [name, sha256]));
  const files = await checksumsOfMigrations();
  for (const [name, sha256] of files) {
    examination.checkAll(problemWith(name, sha256, applied));
  }
  examination.checkAll(
    [...applied.keys()]
      .filter((name) => !files.has(name))
      .map((name) =>
        fault(
          'migration_unknown',
          `The database has the migration ${name}, which this version of Tideline does not know.`,
          'The database belongs to a newer version: run that one.',
        ),
      ),
  );
}

function problemWith(name: string, sha256: string, applied: ReadonlyMap<string, string | null>): Finding[] {
  if (!applied.has(name)) {
    return [
      fault('migration_missing', `The database does not have the migration ${name}.`, 'Run `npx tideline setup`.'),
    ];
  }
  return applied.get(name) === sha256
    ? []
    : [
        fault(
          'migration_changed',
          `The migration ${name} is another one than the database got.`,
          'Restore the file as it was: migrations are never edited. Set-up refuses to run until then.',
        ),
      ];
}
