// A consumer of its own: counts by verb what happened, beside fanout and without it knowing. Reads the same topic in another
// consumer group, from the beginning, goes on where it was when it is started again, and prints its counts when they change.
//
//   node docs/examples/count-verbs.mjs counts.json
//
// docs/asyncapi.json says what stands on the topic. What any consumer of it has to see to is marked below.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import kafkajs from 'kafkajs';

const knownVersion = 1;

const namespace = process.env.TIDELINE_NAMESPACE ?? 'tideline';
const topic = `${namespace}.activities`;
const file = process.argv[2];
if (file === undefined) {
  console.error('usage: node docs/examples/count-verbs.mjs FILE');
  process.exit(2);
}

// 1. What was read and how far belong together. Both are in one file, which is replaced in one step; so a crash at any point
//    loses nothing and counts nothing twice. In a database it would be one transaction.
const state = load();
// By id, what counts; null: deleted. A real one would keep this in a table with the id as its key.
const verbs = new Map(state.verbs);
const next = new Map(state.next);

const kafka = new kafkajs.Kafka({
  brokers: (process.env.TIDELINE_KAFKA_BROKERS ?? '127.0.0.1:19092').split(','),
  clientId: 'count-verbs',
  logLevel: kafkajs.logLevel.ERROR,
});
const consumer = kafka.consumer({ groupId: `${namespace}.count-verbs` });

/** Takes one record in. */
function take(record) {
  // 2. A version that is not known means something else: stop, or put it aside. To guess is wrong for ever.
  if (record.v > knownVersion) {
    throw new Error(`a record of version ${record.v}: this program knows ${knownVersion}`);
  }
  // 3. Kinds and fields that are not known are none of our business.
  if (record.kind === 'content') {
    // 4. The same activity may come again, when its producer or Kafka repeated itself: the first one counts.
    if (!verbs.has(record.id)) {
      verbs.set(record.id, { verb: record.verb, actorId: record.actorId });
    }
  } else if (record.kind === 'delete') {
    // 5. A delete takes effect only on what is its author's, and may come before what it deletes.
    const activity = verbs.get(record.objectId);
    if (activity === undefined || activity?.actorId === record.authorId) {
      verbs.set(record.objectId, null);
    }
  }
}

await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
// 6. Where we are is what our own state says. The group only shares out the partitions, and shows others how far we are.
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  for (const partition of payload.memberAssignment[topic] ?? []) {
    consumer.seek({ topic, partition, offset: next.get(partition) ?? '0' });
  }
});
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
    for (const message of batch.messages) {
      // 7. Others may write to the topic, too: what is no record is passed over, as fanout puts it aside.
      const record = parse(message.value);
      if (record !== undefined) {
        take(record);
      }
    }
    next.set(batch.partition, (BigInt(batch.lastOffset()) + 1n).toString());
    save();
    resolveOffset(batch.lastOffset());
    await commitOffsetsIfNecessary({
      topics: [{ topic, partitions: [{ partition: batch.partition, offset: next.get(batch.partition) }] }],
    });
    console.log(JSON.stringify(counts()));
  },
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void consumer.disconnect());
}

function counts() {
  const byVerb = {};
  for (const activity of verbs.values()) {
    if (activity !== null) {
      byVerb[activity.verb] = (byVerb[activity.verb] ?? 0) + 1;
    }
  }
  return byVerb;
}

function parse(value) {
  try {
    const record = JSON.parse(value);
    return Number.isInteger(record?.v) ? record : undefined;
  } catch {
    return undefined;
  }
}

function load() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') {
      return { verbs: [], next: [] };
    }
    throw error;
  }
}

function save() {
  writeFileSync(`${file}.new`, JSON.stringify({ verbs: [...verbs], next: [...next] }));
  renameSync(`${file}.new`, file);
}
