import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError } from '@tideline/shared/errors';
import pg from 'pg';
import { connectToDatabase } from './database-client.js';
import type { Report } from './report.js';

const attemptsMax = 20;
const retryDelayMs = 100;

/** SQLSTATEs of `create database`. */
const noSuchDatabase = '3D000';
const exists: ReadonlySet<string> = new Set(['42P04', '23505']);
/** Somebody is connected to the template: a worker of TimescaleDB, briefly, or another `create database`. */
const templateBusy = '55006';

/** Creates the database of the URL where it does not exist. */
export async function createDatabase(url: string, report: Report): Promise<void> {
  if (await databaseExists(url)) {
    return;
  }
  const name = databaseName(url);
  const client = await connectToDatabase(maintenanceUrl(url));
  try {
    if (await create(client, name)) {
      report(`created the database ${name}`);
    }
  } finally {
    await client.end();
  }
}

/** Drops the database of the URL, whoever is connected to it. */
export async function dropDatabase(url: string): Promise<void> {
  const client = await connectToDatabase(maintenanceUrl(url));
  try {
    await client.query(`drop database if exists ${pg.escapeIdentifier(databaseName(url))} with (force)`);
  } finally {
    await client.end();
  }
}

async function databaseExists(url: string): Promise<boolean> {
  try {
    const client = await connectToDatabase(url);
    await client.end();
    return true;
  } catch (error) {
    if (stateOf(error) === noSuchDatabase) {
      return false;
    }
    throw error;
  }
}

/** False where somebody else was faster. */
async function create(client: pg.Client, name: string): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(`create database ${pg.escapeIdentifier(name)}`);
      return true;
    } catch (error) {
      const state = stateOf(error);
      if (exists.has(state)) {
        return false;
      }
      if (state !== templateBusy || attempt === attemptsMax) {
        throw error;
      }
      await delay(retryDelayMs);
    }
  }
}

function databaseName(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  if (name === '') {
    throw new TidelineError('configuration', 'TIDELINE_DATABASE_URL names no database.');
  }
  return name;
}

/** Every server has the database `postgres`. */
function maintenanceUrl(url: string): string {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  return maintenance.href;
}

function stateOf(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? '') : '';
}
