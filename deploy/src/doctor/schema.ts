import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { type Examination, type Finding, fault, warning } from './examination.js';
import { examineRoles } from './roles.js';
import { parseSchemaText, readSchemaLines, type SchemaLine } from './schema-lines.js';

/** What set-up makes; a test holds the file against that. Seen from here, the same for source and compiled. */
export const expectedSchema = new URL('../../expected-schema.txt', import.meta.url);

const restore =
  'Compare with shared/migrations, and make it as it is there; or restore the schema from a backup of this version.';

/** Whether every object of the schema is there, and as the migrations made it, and who may do what with it. */
export async function examineSchema(database: pg.Client, examination: Examination): Promise<void> {
  const expected = parseSchemaText(await readFile(expectedSchema, 'utf8'));
  const found = new Map((await readSchemaLines(database)).map(({ name, definition }) => [name, definition]));
  const objects = expected.filter(({ name }) => !name.startsWith('grants '));
  const missingTables = objects
    .filter(({ name }) => name.startsWith('table ') && !found.has(name))
    .map(({ name }) => name.slice('table '.length));
  for (const line of objects) {
    // Of a table that is gone its columns are, too: one finding says it.
    const isOfMissingTable = missingTables.some((table) => line.name.includes(` ${table}.`));
    examination.checkAll(isOfMissingTable ? [] : problemWith(line, found.get(line.name)));
  }
  await examineRoles(database, expected, found, examination);
}

function problemWith({ name, definition }: SchemaLine, found: string | undefined): Finding[] {
  const [kind = '', object = ''] = name.split(' ');
  const [table = '', part = ''] = object.split('.');
  if (found === undefined) {
    return [fault(`${kind}_missing`, `The ${name} is missing.`, restore)];
  }
  if (found === definition) {
    return [];
  }
  if (found === `${definition} (disabled)`) {
    return [
      fault('trigger_disabled', `The ${name} is disabled.`, `Run \`alter table ${table} enable trigger ${part}\`.`),
    ];
  }
  if (kind === 'index' && found.includes('(invalid')) {
    return [fault('index_invalid', `The ${name} was not built to the end.`, `Run \`reindex index ${part}\`.`)];
  }
  // Any interval of chunks is right, and one may be slow.
  const severity = kind === 'hypertable' ? warning : fault;
  return [severity(`${kind}_differs`, `The ${name} is "${found}", and was made as "${definition}".`, restore)];
}
