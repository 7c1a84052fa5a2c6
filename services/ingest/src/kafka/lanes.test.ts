import { isTidelineError } from '@tideline/shared/errors';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type LaneRecord, laneLimits } from './lane.js';
import { acknowledgementDeadlineMs, Lanes } from './lanes.js';

/** A broker whose answers the test gives, one `send` at a time. */
class FakeBroker {
  readonly sends: { partition: number; ids: string[]; answer(offset: number): void; reject(): void }[] = [];

  readonly send = (partition: number, records: readonly LaneRecord[]): Promise<number> =>
    new Promise((resolve, reject) => {
      this.sends.push({
        partition,
        ids: records.map(({ id }) => id),
        answer: resolve,
        reject: () => reject(new Error('the broker said no')),
      });
    });

  /** The n-th `send`, once it was made. */
  async sent(nth: number) {
    await vi.waitUntil(() => this.sends.length > nth, { interval: 1 });
    const send = this.sends[nth];
    if (send === undefined) {
      throw new Error(`no send ${nth}`);
    }
    return send;
  }
}

const metrics = {
  batchAcknowledged: vi.fn<(records: number, seconds: number) => void>(),
  sendRejected: vi.fn<() => void>(),
  outcomeUnknown: vi.fn<() => void>(),
};

function lanesWith(broker: FakeBroker, partitions = 1): Lanes {
  return new Lanes({ partitions, send: broker.send, metrics });
}

function record(id: string, key = 'anna', sizeBytes = 10): LaneRecord {
  return { id, key, value: Buffer.alloc(sizeBytes), headers: {} };
}

function records(count: number, prefix = ''): LaneRecord[] {
  return Array.from({ length: count }, (_, index) => record(`${prefix}${index}`));
}

function idsOf(all: readonly LaneRecord[]): string[] {
  return all.map(({ id }) => id);
}

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

describe('a lane', () => {
  test('sends what waits in one batch, in order, and never has two sends outstanding', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);

    const first = lanes.append([record('a')]);
    const second = lanes.append([record('b'), record('c')]);
    const third = lanes.append([record('d')]);
    await broker.sent(0);
    expect(broker.sends.map(({ ids }) => ids)).toEqual([['a']]);

    (await broker.sent(0)).answer(100);
    (await broker.sent(1)).answer(101);
    expect(broker.sends.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c', 'd']]);
    expect(await Promise.all([first, second, third])).toEqual([
      [{ partition: 0, offset: 100 }],
      [
        { partition: 0, offset: 101 },
        { partition: 0, offset: 102 },
      ],
      [{ partition: 0, offset: 103 }],
    ]);
    expect(lanes.depths()).toEqual(new Map([[0, 0]]));
    expect(lanes.unacknowledgedMs()).toBe(0);
  });

  test('bounds a batch in records and in bytes', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    const many = records(laneLimits.batchRecordsMax + 1);
    const large = ['x', 'y', 'z'].map((id) => record(id, 'anna', laneLimits.batchSizeMaxBytes / 2));

    const all = Promise.all([lanes.append(many), lanes.append(large)]);
    (await broker.sent(0)).answer(0);
    (await broker.sent(1)).answer(500);
    (await broker.sent(2)).answer(502);
    await all;

    // The last of the many goes with one large record: with a second it would be too many bytes.
    const last = many[many.length - 1]?.id;
    expect(broker.sends.map(({ ids }) => ids)).toEqual([idsOf(many.slice(0, -1)), [last, 'x'], ['y', 'z']]);
  });

  test.each([
    ['a rejected send', (send: Awaited<ReturnType<FakeBroker['sent']>>) => send.reject()],
    ['an offset below 0', (send: Awaited<ReturnType<FakeBroker['sent']>>) => send.answer(-1)],
  ])('sends the same batch again after %s, before anything newer', async (_name, fail) => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    const first = lanes.append([record('a')]);
    const failed = await broker.sent(0);
    const second = lanes.append([record('b')]);

    fail(failed);
    (await broker.sent(1)).answer(7);
    (await broker.sent(2)).answer(8);

    expect(broker.sends.map(({ ids }) => ids)).toEqual([['a'], ['a'], ['b']]);
    expect(await first).toEqual([{ partition: 0, offset: 7 }]);
    expect(await second).toEqual([{ partition: 0, offset: 8 }]);
    expect(metrics.sendRejected).toHaveBeenCalledTimes(1);
  });

  test('tells the caller after the deadline that the outcome is unknown, and goes on with the record', async () => {
    vi.useFakeTimers();
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);

    const caught = lanes.append([record('a'), record('b')]).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(acknowledgementDeadlineMs);
    const error = await caught;
    expect(isTidelineError(error, 'outcome_unknown') && error.details).toEqual({ ids: ['a', 'b'] });
    expect(metrics.outcomeUnknown).toHaveBeenCalledTimes(1);
    expect(lanes.depths()).toEqual(new Map([[0, 2]]));

    const later = lanes.append([record('c')]);
    (await broker.sent(0)).answer(5);
    (await broker.sent(1)).answer(7);
    expect(await later).toEqual([{ partition: 0, offset: 7 }]);
    expect(lanes.depths()).toEqual(new Map([[0, 0]]));
  });

  test('is bounded in records: what does not fit is refused at once, with nothing taken', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    const accepted = lanes.append(records(laneLimits.recordsMax - 1));

    expect(await codeOf(lanes.append([record('one'), record('too many')]))).toBe('overloaded');
    expect(lanes.depths().get(0)).toBe(laneLimits.recordsMax - 1);
    const fits = lanes.append([record('fits')]);
    expect(lanes.depths().get(0)).toBe(laneLimits.recordsMax);

    for (let nth = 0; nth < laneLimits.recordsMax / laneLimits.batchRecordsMax; nth += 1) {
      (await broker.sent(nth)).answer(nth * laneLimits.batchRecordsMax);
    }
    await Promise.all([accepted, fits]);
  });

  test('is bounded in bytes', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    const accepted = lanes.append([record('a', 'anna', laneLimits.sizeMaxBytes)]);
    expect(await codeOf(lanes.append([record('b')]))).toBe('overloaded');
    (await broker.sent(0)).answer(0);
    await accepted;
    const next = lanes.append([record('b')]);
    (await broker.sent(1)).answer(1);
    expect(await next).toEqual([{ partition: 0, offset: 1 }]);
  });
});

describe('lanes', () => {
  test('choose the partition as the Java client does', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker, 12);
    const keys = ['', 'a', 'user-1', 'user-2', 'repo:tideline', 'ünïcödé'];
    // Printed by BuiltInPartitioner.partitionForKey of kafka-clients 4.1.1.
    const javaPartitions = [9, 4, 8, 8, 6, 7];

    const appended = lanes.append(keys.map((key) => record(key, key)));
    await vi.waitUntil(() => broker.sends.length === new Set(javaPartitions).size);
    for (const send of broker.sends) {
      send.answer(0);
    }
    expect((await appended).map(({ partition }) => partition)).toEqual(javaPartitions);
  });

  test('send to several partitions at once, and keep the order of a request in each', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker, 4);
    const all = Array.from({ length: 40 }, (_, index) => record(String(index), `user-${index % 8}`));

    const appended = lanes.append(all);
    expect(broker.sends.length).toBeGreaterThan(1);
    expect(new Set(broker.sends.map(({ partition }) => partition)).size).toBe(broker.sends.length);
    for (const { ids } of broker.sends) {
      expect(ids).toEqual(ids.toSorted((a, b) => Number(a) - Number(b)));
    }
    for (const { answer, partition } of broker.sends) {
      answer(partition * 1_000);
    }
    const positions = await appended;
    for (const { partition, ids } of broker.sends) {
      expect(ids.map((id) => positions[Number(id)])).toEqual(
        ids.map((_, nth) => ({ partition, offset: partition * 1_000 + nth })),
      );
    }
  });

  test('take nothing of a request when one of its lanes is full', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker, 2);
    const full = lanes.append([record('large', 'anna', laneLimits.sizeMaxBytes)]).catch(() => undefined);
    const keys = Array.from({ length: 20 }, (_, index) => `user-${index}`);

    expect(await codeOf(lanes.append([record('x'), ...keys.map((key) => record(key, key))]))).toBe('overloaded');
    expect([...lanes.depths().values()].toSorted()).toEqual([0, 1]);
    (await broker.sent(0)).answer(0);
    await full;
  });

  test('are drained once nothing waits', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    const appended = Promise.all([lanes.append([record('a')]), lanes.append([record('b')])]);
    const drained = lanes.drain(1_000);
    (await broker.sent(0)).answer(0);
    (await broker.sent(1)).answer(1);
    expect(await drained).toBe(0);
    await appended;
  });

  test('give up draining after its time, and say how many records are left', async () => {
    const broker = new FakeBroker();
    const lanes = lanesWith(broker);
    void lanes.append([record('a'), record('b')]);
    const drained = lanes.drain(20);
    expect(await drained).toBe(2);
    (await broker.sent(0)).reject();
    await new Promise((resolve) => setTimeout(resolve, laneLimits.retryDelayFirstMs * 2));
    expect(broker.sends.length).toBe(1);
  });
});
