import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Scope } from '@tideline/shared/http/principal';
import type { Command } from 'commander';
import type pg from 'pg';
import { createKey, type KeyOwner, type ListedKey, listKeys, revokeKey } from '../keys/api-keys.js';
import { readDatabaseUrl } from '../keys/config.js';
import { connectToDatabase } from '../setup/database-client.js';
import { addExamples } from './examples.js';

const scopes: readonly Scope[] = ['write', 'read', 'admin'];
/** Services look a key up again after so long. */
const memoryS = 10;

interface CreateOptions {
  user?: string;
  service?: string;
  scopes?: string;
}

export function addKeysCommand(program: Command): void {
  const command = program
    .command('keys')
    .summary('make, list and revoke the keys of those who call')
    .description('keys of those who call. Needs the database alone: TIDELINE_DATABASE_URL.');

  const create = command
    .command('create')
    .description('make a key and print it, once: only its SHA-256 is kept')
    .option('--user <id>', 'a key that acts as this user, who is made where there is none')
    .option('--service <name>', 'a key of a back end or producer, which acts as any user')
    .option('--scopes <scopes>', `what a service may do: ${scopes.join(', ')}, with commas between`);
  addExamples(create, {
    'keys create --user anna': 'a key for anna herself',
    'keys create --service shop --scopes write,read': 'a key for a back end, which writes and reads as any user',
  }).action(async (options: CreateOptions) => {
    const owner = ownerOf(options);
    const { key, fingerprint } = await withDatabase((client) => createKey(client, owner));
    // The key alone on standard output, for scripts that put it where it belongs.
    console.error(`Its fingerprint is ${fingerprint}. The key is shown this once:`);
    console.log(key);
  });

  const list = command
    .command('list')
    .description('all keys by fingerprint, with whose they are')
    .option('--json', 'as JSON', false);
  addExamples(list, { 'keys list': 'whose they are, and which were revoked' }).action(
    async ({ json }: { json: boolean }) => {
      const keys = await withDatabase(listKeys);
      console.log(json ? JSON.stringify(keys, undefined, 2) : tableOf(keys));
    },
  );

  const revoke = command
    .command('revoke')
    .argument('<fingerprint>', 'the first 12 hex digits of its SHA-256, or more, as `list` shows them')
    .description(`make a key useless: everywhere within ${memoryS} s`);
  addExamples(revoke, { 'keys revoke 3f9a0c17b2de': 'by the fingerprint that `keys list` shows' }).action(
    async (fingerprint: string) => {
      const wasValid = await withDatabase((client) => revokeKey(client, fingerprint));
      console.log(
        wasValid
          ? `Revoked ${fingerprint}. Services that have just seen it take it for ${memoryS} s more.`
          : `${fingerprint} was revoked before.`,
      );
    },
  );
}

function ownerOf({ user, service, scopes: given }: CreateOptions): KeyOwner {
  if ((user === undefined) === (service === undefined)) {
    throw new TidelineError('configuration', 'A key is for one of --user ID and --service NAME.');
  }
  if ((service === undefined) !== (given === undefined)) {
    throw new TidelineError(
      'configuration',
      '--service needs --scopes, and --user has none: it may what its user may.',
    );
  }
  if (!userIdSchema.safeParse(user ?? service).success) {
    throw new TidelineError('configuration', 'Users and services are named by 1 to 64 of A-Z a-z 0-9 _ . : -');
  }
  return user === undefined ? { service: service ?? '', scopes: scopesOf(given ?? '') } : { userId: user };
}

function scopesOf(text: string): Scope[] {
  const given = text.split(',').map((scope) => scope.trim());
  const unknown = given.find((scope) => !scopes.some((each) => each === scope));
  if (unknown !== undefined) {
    throw new TidelineError('configuration', `"${unknown}" is no scope: there are ${scopes.join(', ')}.`);
  }
  return scopes.filter((scope) => given.includes(scope));
}

function tableOf(keys: readonly ListedKey[]): string {
  const rows = keys.map(({ fingerprint, kind, owner, scopes: may, createdAt, revokedAt }) => [
    fingerprint,
    kind,
    owner,
    may.join(',') || '-',
    dayOf(createdAt),
    revokedAt === null ? '-' : dayOf(revokedAt),
  ]);
  const table = [['FINGERPRINT', 'KIND', 'OWNER', 'SCOPES', 'CREATED', 'REVOKED'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 16).replace('T', ' ');
}

async function withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectToDatabase(readDatabaseUrl(), {
    role: 'tideline_operator',
    applicationName: 'tideline-keys',
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
