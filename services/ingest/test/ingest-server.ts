import { createHash, randomUUID } from 'node:crypto';
import { setUp } from '@tideline/deploy/setup/set-up';
import { tearDown } from '@tideline/deploy/setup/tear-down';
import { type ActivityRecord, decodeRecord } from '@tideline/shared/activity-record';
import { aggregationDefault } from '@tideline/shared/aggregation-rules';
import { type Database, openDatabase } from '@tideline/shared/database';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic } from '@tideline/shared/topics';
import { type Contract, readContract } from '@tideline/testing/contract';
import { type RefusedStatements, watchRefusals } from '@tideline/testing/refused-statements';
import { type IngestConfig, readConfig } from '../src/config.js';
import { type IngestService, startIngest } from '../src/service.js';

/** Keys that every test finds. The user keys are those of user:NAME. */
export const keys = {
  anna: 'key-of-anna',
  ben: 'key-of-ben',
  producer: 'key-of-a-producer',
  admin: 'key-of-an-admin',
  reader: 'key-of-a-reader',
} as const;

export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

export interface Call {
  method?: string;
  key?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, except for text and bytes, which are sent as they are. */
  body?: unknown;
}

export interface TopicRecord {
  partition: number;
  offset: number;
  key: string;
  headers: Record<string, string>;
  record: ActivityRecord;
}

const setUpSettings = {
  partitions: 4,
  replicationFactor: 1,
  demo: false,
  inboxCap: 500,
  retentionDays: 0,
  followerThreshold: 10_000,
  aggregation: aggregationDefault,
};

/** One installation of its own on the test servers: a database, topics and a name space in Redis. */
export class Installation {
  readonly config: IngestConfig;
  readonly database: Database;
  readonly topic: string;
  readonly #kafka: ReturnType<typeof createKafka>;
  readonly #refused: RefusedStatements;

  private constructor(config: IngestConfig) {
    const logger = createLogger('test', 'silent');
    this.config = config;
    this.#refused = watchRefusals(config.databaseUrl);
    this.topic = activitiesTopic(config.namespace);
    this.database = openDatabase({
      url: config.databaseUrl,
      applicationName: 'test',
      role: 'login',
      poolSize: 2,
      logger,
    });
    this.#kafka = createKafka({ brokers: config.kafkaBrokers, clientId: 'test', logger });
  }

  static async create(): Promise<Installation> {
    const given = readConfig(process.env);
    const namespace = `ingest-${randomUUID().slice(0, 8)}`;
    const databaseUrl = new URL(given.databaseUrl);
    databaseUrl.pathname = `/${namespace.replace('-', '_')}`;
    const config: IngestConfig = {
      ...given,
      databaseUrl: databaseUrl.href,
      namespace,
      logLevel: process.env['TIDELINE_LOG_LEVEL'] ?? 'silent',
      httpPort: 0,
      operationsPort: 0,
      // Tests are one caller at one address, who asks much.
      door: { ...given.door, quotas: { perUser: 0, perService: 0, perAddress: 0 } },
    };
    await setUp({ ...config, ...setUpSettings });
    const installation = new Installation(config);
    await installation.#putKeysAndUsers();
    return installation;
  }

  /** Starts an ingest, with other settings where a test puts something between it and a server. */
  async start(settings: Partial<IngestConfig> = {}): Promise<RunningIngest> {
    return new RunningIngest(await startIngest({ ...this.config, ...settings }));
  }

  /** The end of each partition, by partition. */
  async endOffsets(): Promise<number[]> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      const ends = await admin.fetchTopicOffsets(this.topic);
      return ends.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
    } finally {
      await admin.disconnect();
    }
  }

  /** All that is on the topic, partition by partition in order. */
  async records(): Promise<TopicRecord[]> {
    const missing = new Map((await this.endOffsets()).map((end, partition) => [partition, end]));
    const found: TopicRecord[] = [];
    const consumer = this.#kafka.consumer({ groupId: randomUUID() });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic: this.topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const finishIfComplete = () => {
          if ([...missing.values()].every((count) => count === 0)) {
            resolve();
          }
        };
        finishIfComplete();
        consumer
          .run({
            eachMessage: ({ partition, message }) => {
              found.push({
                partition,
                offset: Number(message.offset),
                key: String(message.key),
                headers: Object.fromEntries(Object.entries(message.headers ?? {}).map(([k, v]) => [k, String(v)])),
                record: decodeRecord(message.value),
              });
              missing.set(partition, (missing.get(partition) ?? 0) - 1);
              finishIfComplete();
              return Promise.resolve();
            },
          })
          .catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return found.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  async close(): Promise<void> {
    await this.database.$pool.end();
    await tearDown({ ...this.config, ...setUpSettings });
    this.#refused.expectNone();
  }

  async #putKeysAndUsers(): Promise<void> {
    const rows = [
      { key: keys.anna, kind: 'user', userId: 'user:anna', scopes: [] },
      { key: keys.ben, kind: 'user', userId: 'user:ben', scopes: [] },
      { key: keys.producer, kind: 'service', userId: null, scopes: ['write'] },
      { key: keys.admin, kind: 'service', userId: null, scopes: ['write', 'admin'] },
      { key: keys.reader, kind: 'service', userId: null, scopes: ['read'] },
    ];
    for (const { key, kind, userId, scopes } of rows) {
      await this.database.none(
        'insert into api_keys (key_sha256, kind, name, user_id, scopes) values ($1, $2, $3, $4, $5)',
        [createHash('sha256').update(key).digest(), kind, key, userId, scopes],
      );
    }
    await this.database.none(`insert into users (id, name) values ('user:anna', 'Anna'), ('user:ben', 'Ben')`);
  }
}

export class RunningIngest {
  readonly #service: IngestService;
  #contract: Promise<Contract> | undefined;

  constructor(service: IngestService) {
    this.#service = service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#service.httpPort}`;
  }

  /** An answer that the service's own document does not describe is an error. */
  async call(path: string, { method = 'POST', key, headers = {}, body }: Call = {}): Promise<Answer> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(key === undefined ? {} : { 'x-app-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body) }),
    });
    const { status } = response;
    const answer = { status, headers: response.headers, body: (await response.json()) as Answer['body'] };
    this.#contract ??= readContract(this.url);
    (await this.#contract).check(method, path, { ...answer, contentType: response.headers.get('content-type') });
    return answer;
  }

  /** What the operations server answers to `/readyz`. */
  async ready(): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.#service.operationsPort}/readyz`);
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  }

  async metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#service.operationsPort}/metrics`);
    return response.text();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }
}
