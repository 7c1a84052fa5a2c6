import { type ContentRecord, type LogVersion, recordVersion } from '@tideline/shared/activity-record';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { createLogger } from '@tideline/shared/logger';
import { expect, test, vi } from 'vitest';
import { ActivityLog, recordSizeMaxBytes } from './activity-log.js';
import type { LaneRecord } from './lane.js';

const watchIntervalMs = 5;

const metrics = {
  batchAcknowledged: () => undefined,
  sendRejected: () => undefined,
  outcomeUnknown: () => undefined,
  observeLanes: () => undefined,
};

function activity(metadata?: Record<string, unknown>): ContentRecord {
  return {
    v: recordVersion,
    kind: 'content',
    id: '01a1fdca-4077-7330-a3fc-098d4ad8bafa',
    actorId: 'anna',
    verb: 'post',
    objectType: 'note',
    objectId: '1',
    callerId: 'anna',
    requestId: 'request-1',
    acceptedAt: 0,
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** Servers whose state the test changes. */
function servers() {
  const sent: LaneRecord[] = [];
  return {
    sent,
    readGeneration: vi.fn(() => Promise.resolve({ generation: 3, partitions: 12 })),
    readPartitions: vi.fn(() => Promise.resolve(12)),
    send: vi.fn((_partition: number, records: readonly LaneRecord[]) => {
      sent.push(...records);
      return Promise.resolve(40);
    }),
  };
}

function open(fake: ReturnType<typeof servers>): ActivityLog {
  return new ActivityLog({ ...fake, watchIntervalMs, metrics, logger: createLogger('test', 'silent') });
}

test('a record gets its version from the recorded generation and the acknowledgement', async () => {
  const fake = servers();
  const log = open(fake);
  await log.start();
  expect(log.notReadyBecause()).toBeUndefined();

  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const versions = await log.append([activity()], traceparent);
  expect(versions).toEqual<LogVersion[]>([{ generation: 3, partition: expect.any(Number) as number, offset: 40 }]);
  expect(fake.sent).toEqual([
    {
      id: activity().id,
      key: 'anna',
      value: Buffer.from(JSON.stringify(activity())),
      headers: { v: '1', 'request-id': 'request-1', traceparent },
    },
  ]);
  await log.close(0);
});

test('another number of partitions than was recorded is a configuration error', async () => {
  const fake = servers();
  fake.readPartitions.mockResolvedValue(13);
  await expect(open(fake).start()).rejects.toMatchObject({ code: 'configuration' });
});

test.each([
  ['Kafka', 'readPartitions'],
  ['the database', 'readGeneration'],
] as const)('while %s is away at the start nothing is taken, and it becomes ready by itself', async (_name, server) => {
  const fake = servers();
  fake[server].mockRejectedValueOnce(unavailable('it is away'));
  const log = open(fake);
  await log.start();

  expect(log.notReadyBecause()).toBe('it is away');
  await expect(log.append([activity()])).rejects.toMatchObject({ code: 'unavailable' });
  expect(fake.send).not.toHaveBeenCalled();

  await vi.waitUntil(() => log.notReadyBecause() === undefined);
  await log.append([activity()]);
  await log.close(0);
});

test('a Kafka that goes away is seen, and so is its return', async () => {
  const fake = servers();
  const log = open(fake);
  await log.start();

  fake.readPartitions.mockRejectedValue(unavailable('Kafka is not available'));
  await vi.waitUntil(() => log.notReadyBecause() === 'Kafka is not available');
  fake.readPartitions.mockResolvedValue(12);
  await vi.waitUntil(() => log.notReadyBecause() === undefined);
  await log.close(0);
});

test('a record that is larger than the log takes is refused, and those beside it with it', async () => {
  const fake = servers();
  const log = open(fake);
  await log.start();
  const large = activity({ text: 'x'.repeat(recordSizeMaxBytes) });
  await expect(log.append([activity(), large])).rejects.toBeInstanceOf(TidelineError);
  expect(fake.send).not.toHaveBeenCalled();
  await log.close(0);
});

test('after close nothing is taken', async () => {
  const log = open(servers());
  await log.start();
  await log.close(0);
  await expect(log.append([activity()])).rejects.toMatchObject({ code: 'unavailable' });
});
