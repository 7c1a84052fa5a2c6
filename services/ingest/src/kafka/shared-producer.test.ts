import { createLogger } from '@tideline/shared/logger';
import { beforeEach, expect, test, vi } from 'vitest';
import { SharedProducer } from './shared-producer.js';

/** A kafkajs producer whose sends the test settles. */
class FakeProducer {
  readonly disconnect = vi.fn(() => Promise.resolve());
  readonly sends: { acknowledge(baseOffset: string): void; reject(): void }[] = [];

  connect(): Promise<void> {
    const fails = failNextConnect.value;
    failNextConnect.value = false;
    return fails ? Promise.reject(new Error('no broker')) : Promise.resolve();
  }

  send(): Promise<{ baseOffset: string }[]> {
    return new Promise((resolve, reject) => {
      this.sends.push({
        acknowledge: (baseOffset) => resolve([{ baseOffset }]),
        reject: () => reject(new Error('sequence out of order')),
      });
    });
  }
}

const { producers, failNextConnect } = vi.hoisted(() => ({
  producers: [] as FakeProducer[],
  failNextConnect: { value: false },
}));

vi.mock('@tideline/shared/kafka-client', () => ({
  createKafka: () => ({
    producer: () => {
      const producer = new FakeProducer();
      producers.push(producer);
      return producer;
    },
  }),
}));

const record = { id: '1', key: 'anna', value: Buffer.from('{}'), headers: {} };

/** The n-th send of the n-th producer, once it was made. */
async function sendOf(producer: number, nth: number) {
  await vi.waitUntil(() => producers[producer]?.sends[nth] !== undefined, { interval: 1 });
  const send = producers[producer]?.sends[nth];
  if (send === undefined) {
    throw new Error('no such send');
  }
  return send;
}

function open(): SharedProducer {
  return new SharedProducer({ brokers: ['kafka:9092'], topic: 'activities', logger: createLogger('test', 'silent') });
}

beforeEach(() => {
  producers.length = 0;
});

test('all lanes share one producer', async () => {
  const shared = open();
  const sends = [shared.send(0, [record]), shared.send(1, [record])];
  (await sendOf(0, 0)).acknowledge('7');
  (await sendOf(0, 1)).acknowledge('-1');
  expect(await Promise.all(sends)).toEqual([7, -1]);
  expect(producers.length).toBe(1);
});

test('after a rejected send there is a new producer, and the old one ends with its last outstanding send', async () => {
  const shared = open();
  const rejected = shared.send(0, [record]);
  const outstanding = shared.send(1, [record]);
  const stillOutstanding = await sendOf(0, 1);
  (await sendOf(0, 0)).reject();
  await expect(rejected).rejects.toThrow('sequence out of order');

  const again = shared.send(0, [record]);
  (await sendOf(1, 0)).acknowledge('3');
  expect(await again).toBe(3);
  expect(producers[0]?.disconnect).not.toHaveBeenCalled();

  stillOutstanding.acknowledge('4');
  expect(await outstanding).toBe(4);
  expect(producers.map(({ disconnect }) => disconnect.mock.calls.length)).toEqual([1, 0]);
});

test('two lanes that are rejected by one producer share the next one too', async () => {
  const shared = open();
  const rejected = Promise.allSettled([shared.send(0, [record]), shared.send(1, [record])]);
  (await sendOf(0, 0)).reject();
  (await sendOf(0, 1)).reject();
  await rejected;

  const again = [shared.send(0, [record]), shared.send(1, [record])];
  (await sendOf(1, 0)).acknowledge('0');
  (await sendOf(1, 1)).acknowledge('0');
  await Promise.all(again);
  expect(producers.length).toBe(2);
  expect(producers[0]?.disconnect).toHaveBeenCalledTimes(1);
});

test('a producer that cannot connect is replaced as well', async () => {
  failNextConnect.value = true;
  const shared = open();
  await expect(shared.send(0, [record])).rejects.toThrow('no broker');
  const again = shared.send(0, [record]);
  (await sendOf(1, 0)).acknowledge('0');
  expect(await again).toBe(0);
  await shared.close();
  expect(producers.map(({ disconnect }) => disconnect.mock.calls.length)).toEqual([1, 1]);
});
