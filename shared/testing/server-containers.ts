import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { TidelineError } from '@tideline/shared/errors';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import type { TestServers } from './test-servers.js';

const images = {
  kafka: 'apache/kafka:4.1.1',
  timescaledb: 'timescale/timescaledb:2.19.3-pg17',
  redis: 'redis:8',
};
const startupTimeoutMs = 120_000;

/** Starts the three servers in containers of their own. */
export async function startContainers(): Promise<TestServers> {
  const starts = await Promise.allSettled([startTimescale(), startRedis(), startKafka()]);
  const containers = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const release = async () => {
    await Promise.all(containers.map((container) => container.stop()));
  };
  const failure = starts.find((start) => start.status === 'rejected');
  if (failure !== undefined) {
    await release();
    throw new TidelineError(
      'configuration',
      `Docker answers, but the containers did not start: ${(failure.reason as Error).message}. TIDELINE_TEST_SERVERS=native uses servers without containers.`,
      { cause: failure.reason },
    );
  }
  const [timescale, redis, kafka] = containers as [StartedTestContainer, StartedTestContainer, StartedTestContainer];
  return {
    urls: {
      TIDELINE_DATABASE_URL: `postgres://tideline:tideline@${placeOf(timescale, 5432)}/tideline`,
      TIDELINE_REDIS_URL: `redis://${placeOf(redis, 6379)}`,
      TIDELINE_KAFKA_BROKERS: placeOf(kafka, 9092),
    },
    release,
  };
}

/** It says twice that it is ready: first is the server that the image's set-up uses and stops again. */
async function startTimescale(): Promise<StartedTestContainer> {
  return new GenericContainer(images.timescaledb)
    .withEnvironment({ POSTGRES_USER: 'tideline', POSTGRES_PASSWORD: 'tideline', POSTGRES_DB: 'tideline' })
    .withCommand(['-c', 'max_connections=300'])
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
    .withStartupTimeout(startupTimeoutMs)
    .start();
}

async function startRedis(): Promise<StartedTestContainer> {
  const options = {
    save: '',
    appendonly: 'no',
    'locale-collate': 'C',
    'maxmemory-policy': 'volatile-lru',
    'notify-keyspace-events': 'Exe',
  };
  return new GenericContainer(images.redis)
    .withCommand(['redis-server', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])])
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .withStartupTimeout(startupTimeoutMs)
    .start();
}

/** Kafka tells its clients where it is, so its port on this side has to be known before it starts. */
async function startKafka(): Promise<StartedTestContainer> {
  const port = await freePort();
  return new GenericContainer(images.kafka)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage('Kafka Server started'))
    .withStartupTimeout(startupTimeoutMs)
    .start();
}

/** An address, not the name: `localhost` may mean IPv6 first, where Docker does not always listen. */
const host = '127.0.0.1';

function placeOf(container: StartedTestContainer, port: number): string {
  return `${host}:${container.getMappedPort(port)}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
