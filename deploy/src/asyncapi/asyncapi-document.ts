import { recordHeaders, recordSchema, recordVersion } from '@tideline/shared/activity-record';
import { connectHeaders, deadLetterHeaders, deadLetterStages } from '@tideline/shared/dead-letter-headers';
import { everyLog, liveChannel } from '@tideline/shared/feed-keys';
import { activitiesTopic, deadLetterTopic } from '@tideline/shared/topics';
import { z } from 'zod';
import { partitionsDefault } from '../setup/config.js';
import { deadLetterRetentionMs, letterSizeMaxBytes, retentionMs } from '../setup/create-topics.js';

export const asyncApiFile = 'docs/asyncapi.json';

const namespace = '{namespace}';

/** What each kind of record says, and its key: whose audience it concerns, so that all of one author is in order. */
const kinds: Record<string, { summary: string; key: string }> = {
  content: { summary: 'Somebody did something that feeds show', key: 'actorId' },
  follow: { summary: 'Somebody follows somebody, or does not any more', key: 'objectId, who is followed' },
  relation: { summary: 'Somebody mutes or blocks somebody, or does not any more', key: 'objectId, who is muted' },
  delete: { summary: 'An activity is deleted', key: 'authorId, whose activity it is' },
  user: { summary: 'What a user is called from now on', key: 'objectId, the user' },
  object: { summary: 'What an object is from now on', key: 'objectType:objectId' },
};

/** The AsyncAPI 3 document of the topics, from the schemas that records are validated by. */
export function asyncApiDocument(): Record<string, unknown> {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Tideline: the log of activities',
      version: `${recordVersion}.0.0`,
      license: { name: 'Apache-2.0' },
      description: introduction,
    },
    defaultContentType: 'application/json',
    servers: {
      kafka: { host: '127.0.0.1:19092', protocol: 'kafka', description: 'TIDELINE_KAFKA_BROKERS' },
      redis: { host: '127.0.0.1:16379', protocol: 'redis', description: 'TIDELINE_REDIS_URL' },
    },
    channels: { activities, deadLetters, live },
    operations: {
      writeActivities: {
        action: 'send',
        channel: channel('activities'),
        summary: 'ingest, for every activity and change that it accepts',
      },
      readActivities: {
        action: 'receive',
        channel: channel('activities'),
        summary: 'fanout, and any consumer group of its own; docs/examples has one',
      },
      writeDeadLetters: {
        action: 'send',
        channel: channel('deadLetters'),
        summary: 'fanout, for each record that it can neither read nor apply',
      },
      readDeadLetters: { action: 'receive', channel: channel('deadLetters'), summary: '`tideline dead-letters`' },
      wake: { action: 'send', channel: channel('live'), summary: 'fanout, and ingest for corrections' },
      wakeUp: { action: 'receive', channel: channel('live'), summary: 'feed-api, for open streams' },
    },
    components: {
      messages: { ...Object.fromEntries(recordSchema.options.map(recordMessage)), deadLetter, wakeUp },
      schemas: { recordHeaders: recordHeadersSchema },
    },
  };
}

/** As it is committed. */
export function asyncApiJson(): string {
  return `${JSON.stringify(asyncApiDocument(), undefined, 2)}\n`;
}

const introduction = `Every change is a record on one topic. Any number of consumer groups can read it, each at its own pace.

- The key is whose audience a record concerns: all that decides who gets an author's activities is in one partition, in order. Across partitions nothing is ordered.
- A record may be on the topic more than once: content is the same by its \`id\`, of other records every copy counts, in order.
- \`v\` is the version of a record. Fields may be added without another version: let through what you do not know. What has a higher version than you know, put aside.
- A record with the headers \`${deadLetterHeaders.generation}\`, \`${deadLetterHeaders.partition}\` and \`${deadLetterHeaders.offset}\` is replayed: it belongs where these say that it stood first.`;

const namespaceParameter = {
  namespace: { default: 'tideline', description: 'TIDELINE_NAMESPACE, which keeps installations on one server apart' },
};

const activities = {
  address: activitiesTopic(namespace),
  title: 'Everything that happened',
  parameters: namespaceParameter,
  servers: [{ $ref: '#/servers/kafka' }],
  messages: Object.fromEntries(Object.keys(kinds).map((kind) => [kind, message(kind)])),
  bindings: { kafka: topicBinding(partitionsDefault, { 'retention.ms': retentionMs }) },
};

const deadLetters = {
  address: deadLetterTopic(namespace),
  title: 'Records that were given up',
  parameters: namespaceParameter,
  servers: [{ $ref: '#/servers/kafka' }],
  messages: { deadLetter: message('deadLetter') },
  bindings: {
    kafka: topicBinding(1, { 'retention.ms': deadLetterRetentionMs, 'max.message.bytes': letterSizeMaxBytes }),
  },
};

const live = {
  address: liveChannel(namespace),
  title: 'Where there is news for open streams',
  description:
    'Inside Tideline. Pub/sub only wakes: what happened is read from a Redis stream, and nothing is lost with a message.',
  parameters: namespaceParameter,
  servers: [{ $ref: '#/servers/redis' }],
  messages: { wakeUp: message('wakeUp') },
};

const textHeader = (description: string) => ({ type: 'string', description });

const recordHeadersSchema = {
  type: 'object',
  properties: {
    [recordHeaders.version]: textHeader('the same as `v` in the value'),
    [recordHeaders.requestId]: textHeader('the request that the record came from'),
    [recordHeaders.traceparent]: textHeader('W3C Trace Context, where the request had one'),
    [deadLetterHeaders.generation]: textHeader(
      'of a replayed record: which incarnation of the topic it stood in first',
    ),
    [deadLetterHeaders.partition]: textHeader('of a replayed record: the partition where it stood first'),
    [deadLetterHeaders.offset]: textHeader('of a replayed record: the offset where it stood first'),
  },
};

const deadLetter = {
  name: 'deadLetter',
  title: 'A record that was given up',
  summary: 'The record as it stood on the topic, byte for byte, with headers that say where and why',
  contentType: 'application/octet-stream',
  headers: {
    type: 'object',
    required: Object.values(deadLetterHeaders).filter((name) => name !== deadLetterHeaders.omittedBytes),
    properties: {
      ...Object.fromEntries(Object.values(deadLetterHeaders).map((name) => [name, { type: 'string' }])),
      [deadLetterHeaders.stage]: { type: 'string', enum: deadLetterStages },
      ...Object.fromEntries(
        Object.values(connectHeaders).map((name) => [name, textHeader('as Kafka Connect names it')]),
      ),
    },
  },
  payload: { description: 'what the record has; it need not be JSON' },
};

const wakeUp = {
  name: 'wakeUp',
  title: 'Where to look',
  contentType: 'text/plain',
  payload: {
    type: 'string',
    description: `the number of a bucket of users, "pulled" for authors who are merged when read, or "${everyLog}"`,
  },
};

function recordMessage(schema: (typeof recordSchema.options)[number]): [string, unknown] {
  const kind = schema.shape.kind.value;
  const about = kinds[kind];
  const payload: Record<string, unknown> = z.toJSONSchema(schema, { target: 'draft-7' });
  delete payload['$schema'];
  return [
    kind,
    {
      name: kind,
      title: `kind: ${kind}`,
      summary: about?.summary,
      headers: { $ref: '#/components/schemas/recordHeaders' },
      payload,
      bindings: { kafka: { key: { type: 'string', description: about?.key }, bindingVersion: '0.5.0' } },
    },
  ];
}

function message(name: string): { $ref: string } {
  return { $ref: `#/components/messages/${name}` };
}

function channel(name: string): { $ref: string } {
  return { $ref: `#/channels/${name}` };
}

function topicBinding(partitions: number, settings: Record<string, number>): Record<string, unknown> {
  return {
    partitions,
    topicConfiguration: { 'cleanup.policy': ['delete'], ...settings },
    bindingVersion: '0.5.0',
  };
}
