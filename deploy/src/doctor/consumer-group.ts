import { setTimeout as delay } from 'node:timers/promises';
import { activitiesTopic, fanoutGroup } from '@tideline/shared/topics';
import { type Admin, topicResource } from '../setup/kafka-admin.js';
import { type Examination, fault, warning } from './examination.js';

const pollMs = 200;
/** Deliveries are usually milliseconds behind. */
const behindMaxMs = 5 * 60_000;
/** What waits for longer than this part of the retention is in danger. */
const retentionShareMax = 0.5;

const working: ReadonlySet<string> = new Set(['Stable', 'PreparingRebalance', 'CompletingRebalance']);
const lookAtFanout = 'Look at /readyz and at the log of fanout for what it waits for.';

interface Position {
  partition: number;
  low: number;
  high: number;
  /** -1: the group never committed anything. */
  committed: number;
}

/** Whether fanout runs, comes along, and is far from what the topic drops. */
export async function examineGroup(
  kafka: Admin,
  { namespace, patienceMs, services }: { namespace: string; patienceMs: number; services: boolean },
  examination: Examination,
): Promise<void> {
  const [topic, groupId] = [activitiesTopic(namespace), fanoutGroup(namespace)];
  const positions = await readPositions(kafka, topic, groupId);
  examinePositions(positions, examination);
  await examineAges(kafka, topic, positions, examination);
  if (services) {
    const { groups } = await kafka.describeGroups([groupId]);
    const state = groups[0]?.state ?? 'unknown';
    const runs = working.has(state) && (groups[0]?.members.length ?? 0) > 0;
    examination.check(
      runs,
      fault(
        'group_empty',
        `No fanout runs: the consumer group ${groupId} is ${state.toLowerCase()}, and nothing is delivered.`,
        'Start fanout. (`--no-services` leaves out what services that run would do.)',
      ),
    );
    if (runs) {
      await examineProgress(() => readPositions(kafka, topic, groupId), positions, patienceMs, examination);
    }
  }
}

async function readPositions(kafka: Admin, topic: string, groupId: string): Promise<Position[]> {
  const [ends, [group]] = await Promise.all([
    kafka.fetchTopicOffsets(topic),
    kafka.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const committed = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return ends.map(({ partition, low, high }) => ({
    partition,
    low: Number(low),
    high: Number(high),
    committed: committed.get(partition) ?? -1,
  }));
}

function examinePositions(positions: readonly Position[], examination: Examination): void {
  const beyond = positions.filter(({ committed, high }) => committed > high);
  examination.check(
    beyond.length === 0,
    fault(
      'topic_recreated',
      `Fanout was further on ${named(beyond)} than the topic reaches: the topic was made anew under the same name, or its brokers lost records.`,
      'Stop the services. If the topic was deleted: delete it again, and run `npx tideline setup`, which begins a new generation of the log.',
    ),
  );
  const dropped = positions.filter(({ committed, low }) => Math.max(committed, 0) < low);
  examination.check(
    dropped.length === 0,
    fault(
      'records_dropped',
      `Kafka dropped records on ${named(dropped)} that fanout had not read: they were acknowledged, and are in no feed.`,
      'Raise retention.ms of the topic, then have producers send again what they sent in that time, with the same foreignId.',
    ),
  );
}

async function examineAges(
  kafka: Admin,
  topic: string,
  positions: readonly Position[],
  examination: Examination,
): Promise<void> {
  const retentionMs = await readRetentionMs(kafka, topic);
  const waitsLongerThan = async (ms: number) => {
    const offsets = await kafka.fetchTopicOffsetsByTimestamp(topic, Date.now() - ms);
    const atThatTime = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    return positions.filter(
      ({ partition, low, committed }) => Math.max(committed, low) < (atThatTime.get(partition) ?? 0),
    );
  };
  const endangered = retentionMs < 0 ? [] : await waitsLongerThan(retentionMs * retentionShareMax);
  examination.check(
    endangered.length === 0,
    fault(
      'lag_near_retention',
      `What waits on ${named(endangered)} has waited for more than half of the ${hours(retentionMs)} after which Kafka drops it.`,
      'Raise retention.ms of the topic now, then see why fanout is behind.',
    ),
  );
  const behind = await waitsLongerThan(behindMaxMs);
  examination.check(
    behind.length === 0,
    warning(
      'group_behind',
      `Fanout is more than ${behindMaxMs / 60_000} minutes behind on ${named(behind)}: ${waiting(behind)} records wait.`,
      'Start more processes of fanout, if it moves; partitions are spread over them.',
    ),
  );
}

async function readRetentionMs(kafka: Admin, topic: string): Promise<number> {
  const { resources } = await kafka.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: topicResource, name: topic, configNames: ['retention.ms'] }],
  });
  return Number(resources[0]?.configEntries[0]?.configValue ?? -1);
}

/** A partition on which something waits has to move within the patience. */
async function examineProgress(
  read: () => Promise<Position[]>,
  before: readonly Position[],
  patienceMs: number,
  examination: Examination,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  let stuck = before.filter(({ committed, low, high }) => Math.max(committed, low) < high);
  while (stuck.length > 0 && performance.now() < deadline) {
    await delay(pollMs);
    const committedNow = new Map((await read()).map(({ partition, committed }) => [partition, committed]));
    stuck = stuck.filter(({ partition, committed }) => committedNow.get(partition) === committed);
  }
  examination.check(
    stuck.length === 0,
    fault(
      'group_stuck',
      `Fanout runs and does not move: ${waiting(stuck)} records wait on ${named(stuck)}, and none was done in ${patienceMs / 1_000} s.`,
      lookAtFanout,
    ),
  );
}

function named(positions: readonly Position[]): string {
  return `partition${positions.length === 1 ? '' : 's'} ${positions.map(({ partition }) => partition).join(', ')}`;
}

function waiting(positions: readonly Position[]): number {
  return positions.reduce((sum, { low, high, committed }) => sum + high - Math.max(committed, low), 0);
}

function hours(ms: number): string {
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
