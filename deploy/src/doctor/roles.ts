import type pg from 'pg';
import { readMissingEvents } from '../replay/missing-events.js';
import { type Examination, type Finding, fault } from './examination.js';
import type { SchemaLine } from './schema-lines.js';

const grantsOf = /^grants of (?<role>\S+) on (?<object>.+)$/;
/** What `close_projections()` and `close_feeds()` take from services. */
const closable: ReadonlySet<string> = new Set([
  'follows',
  'relations',
  'tombstones',
  'users',
  'objects',
  'authors',
  'author_weeks',
  'notifications',
  'activities',
  'control_activities',
  'activity_counts_hourly',
  'activity_counts_daily',
]);

const selectPowerful = `
  select r.rolname as role,
         concat_ws(', ', case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
           case when r.rolcreatedb then 'createdb' end, case when r.rolbypassrls then 'bypassrls' end,
           case when r.rolreplication then 'replication' end,
           (select string_agg('a member of ' || m.roleid::regrole, ', ') from pg_auth_members m where m.member = r.oid)) as powers
  from pg_roles r
  where r.rolname like 'tideline\\_%' and not r.rolcanlogin`;

/** Whether the role of each service may do what its statements need, and nothing else. */
export async function examineRoles(
  database: pg.Client,
  expected: readonly SchemaLine[],
  found: ReadonlyMap<string, string>,
  examination: Examination,
): Promise<void> {
  const { rows } = await database.query<{ role: string; powers: string }>(selectPowerful);
  examination.checkAll(
    rows
      .filter(({ powers }) => powers !== '')
      .map(({ role, powers }) =>
        fault(
          'role_powerful',
          `The role ${role} is ${powers}: a service may do what it should not be able to.`,
          `Take that from it (\`alter role\`, \`revoke … from ${role}\`).`,
        ),
      ),
  );
  const closed = !privilegesIn(found.get('grants of tideline_feed_api on follows')).includes('select');
  const missing = found.has('table missing_events') ? await readMissingEvents(database) : undefined;
  examination.check(
    missing === undefined,
    fault(
      'events_missing',
      `The database lacks events that the log has (${missing?.reason ?? ''}): feeds are closed, and services wait.`,
      'Run `npx tideline replay`, after the newest backup was put back, where Kafka does not keep all of the log.',
    ),
  );
  examination.check(
    !closed || missing !== undefined,
    fault(
      'projections_closed',
      'The projections are closed: one of them was truncated, and services wait until they are rebuilt.',
      'Run `npx tideline rebuild`.',
    ),
  );
  const isThere = (object: string) =>
    ['table', 'view', 'sequence', 'column', 'function'].some((kind) => found.has(`${kind} ${object}`));
  const wanted = new Map(
    expected.filter(({ name }) => grantsOf.test(name)).map(({ name, definition }) => [name, definition]),
  );
  const names = new Set([...wanted.keys(), ...[...found.keys()].filter((name) => grantsOf.test(name))]);
  const isOurs = (object: string) => expected.some(({ name }) => name.endsWith(` ${object}`));
  for (const name of names) {
    const object = objectOf(name);
    // Where the object is missing, that is a finding already; one that nobody knows is nobody's business.
    if (isThere(object) && isOurs(object)) {
      examination.checkAll(differences(name, privilegesIn(wanted.get(name)), privilegesIn(found.get(name)), closed));
    }
  }
}

function objectOf(name: string): string {
  return grantsOf.exec(name)?.groups?.['object'] ?? '';
}

function privilegesIn(definition = ''): string[] {
  return definition.split(' ').filter((privilege) => privilege !== '');
}

function differences(name: string, wanted: string[], has: string[], closed: boolean): Finding[] {
  const { role = '', object = '' } = grantsOf.exec(name)?.groups ?? {};
  const isClosed = closed && closable.has(object) && role !== 'tideline_operator';
  const missing = wanted.filter((privilege) => !has.includes(privilege) && !(isClosed && privilege === 'select'));
  const extra = has.filter((privilege) => !wanted.includes(privilege));
  return [
    ...(missing.length === 0
      ? []
      : [
          fault(
            'grants_missing',
            `The role ${role} may not ${missing.join(', ')} on ${object}.`,
            `Run \`grant ${privilegesOn(missing, object)} to ${role}\`.`,
          ),
        ]),
    ...(extra.length === 0
      ? []
      : [
          fault(
            'grants_extra',
            `The role ${role} may ${extra.join(', ')} on ${object}, which nothing of its needs.`,
            `Run \`revoke ${privilegesOn(extra, object)} from ${role}\`.`,
          ),
        ]),
  ];
}

/** As `grant` wants it: a column stands with the privilege, and a function is named as one. */
function privilegesOn(privileges: readonly string[], object: string): string {
  if (object.includes('(')) {
    return `${privileges.join(', ')} on function ${object}`;
  }
  const [table = '', column] = object.split('.');
  return `${privileges.map((each) => (column === undefined ? each : `${each} (${column})`)).join(', ')} on ${table}`;
}
