import { activitiesTopic, deadLetterTopic } from '@tideline/shared/topics';
import type pg from 'pg';
import type { SetUpConfig } from '../setup/config.js';
import type { Admin } from '../setup/kafka-admin.js';
import { examineAgreement } from './agreement.js';
import { examineCacheEpoch } from './cache-epoch.js';
import { type ClockReading, databaseTimeMs, examineClocks, readClock, redisTimeMs } from './clocks.js';
import { examineGroup } from './consumer-group.js';
import { examineDatabaseSettings } from './database-settings.js';
import { examineDeadLetters } from './dead-letters.js';
import { Examination, type Finding, fault } from './examination.js';
import { examineMigrations } from './migrations.js';
import { examineRedisSettings } from './redis-settings.js';
import { examineSchema } from './schema.js';
import { openServers, type Redis, reachRedis } from './servers.js';
import { examineServices } from './services.js';
import { examineEdition, examineRetention } from './time-series.js';
import { examineTopics } from './topics.js';

export interface ExamineOptions {
  config: SetUpConfig;
  /** false: what services that run would do is left out. */
  services: boolean;
  /** Where services say whether they can do their jobs. */
  operationsUrls: readonly string[];
  /** How long fanout may take to move. */
  patienceMs: number;
  /** This machine's clock. */
  now?: () => number;
}

export interface Diagnosis {
  checks: number;
  faults: number;
  warnings: number;
  /** Faults first. */
  findings: Finding[];
}

/**
 * Looks at everything that Tideline needs of its servers, one area after the other, and changes nothing. An area whose
 * server does not answer is left out: that it does not is a finding.
 */
export async function examine(options: ExamineOptions): Promise<Diagnosis> {
  const examination = new Examination();
  const servers = await openServers(options.config, examination);
  try {
    await examineAll({ ...servers, examination, options });
  } finally {
    await servers.close();
  }
  return diagnosisOf(examination);
}

/** Looks at Redis alone. */
export async function examineRedis(redisUrl: string): Promise<Diagnosis> {
  const examination = new Examination();
  const redis = await reachRedis(redisUrl, examination);
  if (redis !== undefined) {
    await examineArea('settings of Redis', examination, () => examineRedisSettings(redis, examination));
    redis.disconnect();
  }
  return diagnosisOf(examination);
}

function diagnosisOf({ checks, findings }: Examination): Diagnosis {
  const faults = findings.filter(({ severity }) => severity === 'fault');
  const warnings = findings.filter(({ severity }) => severity === 'warning');
  return { checks, faults: faults.length, warnings: warnings.length, findings: [...faults, ...warnings] };
}

interface Patient {
  database: pg.Client | undefined;
  redis: Redis | undefined;
  kafka: Admin | undefined;
  examination: Examination;
  options: ExamineOptions;
}

async function examineAll({ database, redis, kafka, examination, options }: Patient): Promise<void> {
  const { config, now = Date.now } = options;
  const { namespace } = config;
  const area = (name: string, work: () => Promise<void>) => examineArea(name, examination, work);
  if (database !== undefined) {
    await area('migrations', () => examineMigrations(database, examination));
    await area('schema', () => examineSchema(database, examination));
    await area('settings of the database', () => examineDatabaseSettings(database, examination));
    await area('edition of TimescaleDB', () => examineEdition(database, examination));
    await area('agreed settings', () => examineAgreement(database, config, examination));
    if (options.services) {
      await area('retention', () => examineRetention(database, config.retentionDays, examination));
    }
  }
  if (redis !== undefined) {
    await area('settings of Redis', () => examineRedisSettings(redis, examination));
  }
  if (kafka !== undefined) {
    let topics: ReadonlySet<string> = new Set();
    await area('topics', async () => {
      topics = await examineTopics({ database, kafka }, namespace, examination);
    });
    if (topics.has(activitiesTopic(namespace))) {
      await area('consumer group', () => examineGroup(kafka, { ...options, namespace }, examination));
    }
    if (topics.has(deadLetterTopic(namespace))) {
      await area('dead letters', () => examineDeadLetters({ database, kafka }, namespace, examination));
    }
  }
  if (database !== undefined && redis !== undefined && options.services) {
    await area('cache epoch', () => examineCacheEpoch({ database, redis }, namespace, examination));
  }
  const clocks: ClockReading[] = [];
  await area('services', async () => {
    clocks.push(...(await examineServices(options.operationsUrls, now, examination)));
  });
  await area('clocks', async () => {
    if (database !== undefined) {
      clocks.push(await readClock('the database', now, () => databaseTimeMs(database)));
    }
    if (redis !== undefined) {
      clocks.push(await readClock('Redis', now, () => redisTimeMs(redis)));
    }
    examineClocks(clocks, examination);
  });
}

/** What an area cannot look at is one more finding, and the others go on. */
async function examineArea(name: string, examination: Examination, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    examination.check(
      false,
      fault(
        'not_examined',
        `The ${name} could not be looked at: ${(error as Error).message}.`,
        'It may be that something which other findings name is missing, or that the login may not look.',
      ),
    );
  }
}
