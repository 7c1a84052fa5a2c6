import type pg from 'pg';

/** One object of the schema: what it is, and how it is. */
export interface SchemaLine {
  /** Such as `index follows_by_followee`. */
  name: string;
  /** Such as its definition; empty where only its being there counts. */
  definition: string;
}

/**
 * What the migrations made, as both editions of TimescaleDB have it: nothing of extensions, no partitions or chunks, and of
 * views only that they are there, because versions of Postgres print them differently.
 */
const selectLines = `
  with relation as (
    select c.* from pg_class c
    where c.relnamespace = current_schema()::regnamespace and not c.relispartition
      and c.relkind in ('r', 'p', 'v', 'm', 'S', 'i', 'I')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  ), tables as (
    select * from relation where relkind in ('r', 'p')
      and relname not in ('migrations', 'migration_checksums')
  )
  select case when relkind = 'S' then 'sequence ' when relkind in ('v', 'm') then 'view ' else 'table ' end || relname as name,
         '' as definition
  from relation
  where relkind not in ('i', 'I') and relname !~ '^migration'
  union all
  select 'column ' || t.relname || '.' || a.attname,
         format_type(a.atttypid, a.atttypmod)
           || case when a.attcollation not in (0, 100) then ' collate ' || (select collname from pg_collation where oid = a.attcollation) else '' end
           || case when a.attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
  from tables t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
  union all
  select 'constraint ' || t.relname || '.' || c.conname, pg_get_constraintdef(c.oid)
  from tables t join pg_constraint c on c.conrelid = t.oid and c.contype in ('p', 'u', 'c', 'f')
  union all
  select 'index ' || t.relname || '.' || i.relname,
         pg_get_indexdef(i.oid) || case when x.indisvalid then '' else ' (invalid: it was not built to the end)' end
  from tables t join pg_index x on x.indrelid = t.oid join relation i on i.oid = x.indexrelid
  union all
  select 'trigger ' || t.relname || '.' || g.tgname,
         pg_get_triggerdef(g.oid) || case g.tgenabled when 'O' then '' when 'D' then ' (disabled)' else ' (' || g.tgenabled::text || ')' end
  from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal and g.tgname !~ '^ts_'
  union all
  select 'function ' || p.oid::regprocedure, md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)) || case when p.prosecdef then ' security definer' else '' end
  from pg_proc p
  where p.pronamespace = current_schema()::regnamespace
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  union all
  select 'hypertable ' || hypertable_name, 'chunks by ' || column_name || ' of ' || time_interval
  from timescaledb_information.dimensions
  where hypertable_schema = current_schema()
  union all
  select 'grants of ' || r.rolname || ' on ' || c.relname, string_agg(lower(g.privilege_type), ' ' order by g.privilege_type)
  from relation c, aclexplode(c.relacl) g join pg_roles r on r.oid = g.grantee
  where r.rolname like 'tideline\\_%' and not r.rolcanlogin and c.relkind not in ('i', 'I')
  group by r.rolname, c.relname
  union all
  select 'grants of ' || r.rolname || ' on ' || c.relname || '.' || a.attname,
         string_agg(lower(g.privilege_type), ' ' order by g.privilege_type)
  from relation c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) g join pg_roles r on r.oid = g.grantee
  where r.rolname like 'tideline\\_%' and not r.rolcanlogin and c.relkind not in ('i', 'I')
  group by r.rolname, c.relname, a.attname
  union all
  select 'grants of ' || r.rolname || ' on ' || p.oid::regprocedure, 'execute'
  from pg_proc p, aclexplode(p.proacl) g join pg_roles r on r.oid = g.grantee
  where p.pronamespace = current_schema()::regnamespace and r.rolname like 'tideline\\_%' and not r.rolcanlogin`;

/** The schema that a database has. Names of the schema itself are left out: it may be called anything. */
export async function readSchemaLines(database: pg.ClientBase): Promise<SchemaLine[]> {
  const { rows } = await database.query<SchemaLine>(selectLines);
  const { rows: schemas } = await database.query<{ name: string }>('select quote_ident(current_schema()) as name');
  const prefix = `${schemas[0]?.name ?? 'public'}.`;
  return rows
    .map(({ name, definition }) => ({ name, definition: asInBothEditions(name, definition.replaceAll(prefix, '')) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** In the community edition the key of activities has the author as well (setup/use-edition.ts). */
function asInBothEditions(name: string, definition: string): string {
  return name.endsWith(' activities.activities_pkey') ? definition.replace(', actor_id)', ')') : definition;
}

/** A line each. */
export function schemaText(lines: readonly SchemaLine[]): string {
  return lines.map(({ name, definition }) => (definition === '' ? `${name}\n` : `${name}: ${definition}\n`)).join('');
}

export function parseSchemaText(text: string): SchemaLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(': ');
      return { name, definition: rest.join(': ') };
    });
}
