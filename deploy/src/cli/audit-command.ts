import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import { auditText } from '../audit/audit-text.js';
import { type AuditEntry, readAudit } from '../audit/read-audit.js';
import { readDatabaseUrl } from '../keys/config.js';
import { connectToDatabase } from '../setup/database-client.js';
import { addExamples } from './examples.js';
import { sinceOf } from './time-option.js';

const limitDefault = 50;
const limitMax = 100_000;

interface AuditOptions {
  user?: string;
  table?: string;
  since?: Date;
  limit: number;
  json: boolean;
}

export function addAuditCommand(program: Command): void {
  const command = program
    .command('audit')
    .summary('who changed what in the database')
    .description(
      'show what was changed in the database, newest first: by which process and for which request, and the values before ' +
        'and after. Of events and what follows from them alone see docs/decisions/0014-audit.md. Needs the database alone: ' +
        'TIDELINE_DATABASE_URL.',
    )
    .option('--user <id>', 'what names this user')
    .option('--table <name>', 'changes of one table, such as follows or api_keys')
    .addOption(
      new Option('--since <time>', 'not older: a time (2026-11-21T12:00Z) or how long ago (90m, 24h, 7d)').argParser(
        sinceOf,
      ),
    )
    .addOption(new Option('--limit <count>', 'at most so many').default(limitDefault).argParser(limitOf))
    .option('--json', 'as JSON', false);
  addExamples(command, {
    'audit --user anna --since 24h': 'what changed about anna in the last day',
    'audit --table api_keys --json': 'who made and revoked keys, for scripts',
  }).action(async ({ json, ...choice }: AuditOptions) => {
    const entries = await read(choice);
    console.log(json ? JSON.stringify(entries, undefined, 2) : auditText(entries));
  });
}

async function read(choice: Omit<AuditOptions, 'json'>): Promise<AuditEntry[]> {
  const client = await connectToDatabase(readDatabaseUrl(), {
    role: 'tideline_operator',
    applicationName: 'tideline-audit',
  });
  try {
    return await readAudit(client, choice);
  } finally {
    await client.end();
  }
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > limitMax) {
    throw new TidelineError('configuration', `--limit: "${text}" is no whole number from 1 to ${limitMax}.`);
  }
  return limit;
}
