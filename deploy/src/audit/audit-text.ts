import type { AuditEntry } from './read-audit.js';

/** Entries for people: a line that says who did what, and one for each value that is other than before. */
export function auditText(entries: readonly AuditEntry[]): string {
  return entries.length === 0 ? 'Nothing of that kind was changed.' : entries.map(entryText).join('\n');
}

function entryText(entry: AuditEntry): string {
  const { at, table, operation, key } = entry;
  const time = at.toISOString().replace('T', ' ').replace('Z', '');
  const what = `${operation} ${table}${key === null ? '' : ` ${key.join(' ')}`}`;
  return [`${time}  ${what}  by ${whoText(entry)}`, ...changes(entry)].join('\n');
}

function whoText({ application, login, role, callerId, requestId }: AuditEntry): string {
  const process = `${application} (${role === null ? login : `${login} as ${role}`})`;
  const request = requestId === null ? '' : `, request ${requestId}`;
  return `${process}${callerId === null ? '' : ` for ${callerId}`}${request}`;
}

function changes({ before, after }: AuditEntry): string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].flatMap((name) => {
    const [was, is] = [before?.[name], after?.[name]].map((value) => JSON.stringify(value));
    if (before === null || after === null) {
      return `    ${name}: ${is ?? was}`;
    }
    return was === is ? [] : `    ${name}: ${was} → ${is}`;
  });
}
