import { readFile } from 'node:fs/promises';
import { type ActivityRecord, recordVersion } from '@tideline/shared/activity-record';
import { asyncApiFaults, payloadFaults } from '@tideline/testing/asyncapi';
import { releasedRecords } from '@tideline/testing/released-records';
import { expect, test } from 'vitest';
import { inCheckout } from '../servers/checkout.js';
import { asyncApiDocument, asyncApiFile, asyncApiJson } from './asyncapi-document.js';

const document = asyncApiDocument();

test('the committed document is what the code makes: npm run asyncapi -w deploy', async () => {
  expect(await readFile(inCheckout(asyncApiFile), 'utf8')).toBe(asyncApiJson());
});

test('the document is one by the official schema of AsyncAPI 3.0, which refuses what is none', () => {
  expect(asyncApiFaults(document)).toEqual([]);
  expect(asyncApiFaults({ ...document, operations: { some: { action: 'shout' } } })).not.toEqual([]);
});

test.each(releasedRecords(recordVersion))('what is on the topic follows the document: $name', ({ value }) => {
  const record = JSON.parse(value) as ActivityRecord;
  expect(payloadFaults(document, record.kind, record)).toEqual([]);
  expect(payloadFaults(document, record.kind, { ...record, actorId: 'no id' })).not.toEqual([]);
});
