import { createHash } from 'node:crypto';
import type { IHeaders } from 'kafkajs';
import type { LogVersion } from './activity-record.js';

/**
 * What a dead letter says in its headers, besides those of the record. A record that is replayed keeps the first four of
 * them and `attempts`: they are the place that counts instead of the one where it stands then.
 */
export const deadLetterHeaders = {
  topic: 'tideline-topic',
  generation: 'tideline-generation',
  partition: 'tideline-partition',
  offset: 'tideline-offset',
  attempts: 'tideline-attempts',
  stage: 'tideline-stage',
  errorClass: 'tideline-error-class',
  errorMessage: 'tideline-error-message',
  /** How many bytes the value has, where it was too large for the dead-letter topic and is missing. */
  omittedBytes: 'tideline-omitted-bytes',
} as const;

/** The same as Kafka Connect names it, for tools that know those names. */
export const connectHeaders = {
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset',
  connectorName: '__connect.errors.connector.name',
  stage: '__connect.errors.stage',
  errorClass: '__connect.errors.exception.class.name',
  errorMessage: '__connect.errors.exception.message',
} as const;

/**
 * Where a record was given up. version: a newer release wrote it. decode: it is no record. replay: it says that it is
 * another one that is replayed, and that is not so. apply: it was refused by what it was to be written to.
 */
export const deadLetterStages = ['version', 'decode', 'replay', 'apply'] as const;
export type DeadLetterStage = (typeof deadLetterStages)[number];

const ours: ReadonlySet<string> = new Set([...Object.values(deadLetterHeaders), ...Object.values(connectHeaders)]);

/** What is left of headers without those of a dead letter: the record's own. */
export function headersOfRecord(headers: IHeaders | undefined): IHeaders {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => !ours.has(name)));
}

/** Whether the headers say of a place that it counts. What they say may be no place. */
export function namesPlace(headers: IHeaders | undefined): boolean {
  const { generation, partition, offset } = deadLetterHeaders;
  return [generation, partition, offset].some((name) => headers?.[name] !== undefined);
}

/** The place that headers name; undefined where they name none. */
export function placeNamedBy(headers: IHeaders | undefined): LogVersion | undefined {
  const generation = wholeNumber(headers, deadLetterHeaders.generation);
  const partition = wholeNumber(headers, deadLetterHeaders.partition);
  const offset = wholeNumber(headers, deadLetterHeaders.offset);
  return generation === undefined || partition === undefined || offset === undefined
    ? undefined
    : { generation, partition, offset };
}

/** How often the record was tried; undefined where the headers do not say. */
export function attemptsNamedBy(headers: IHeaders | undefined): number | undefined {
  return wholeNumber(headers, deadLetterHeaders.attempts);
}

/** A header as text; of one that is there several times the first. */
export function headerText(headers: IHeaders | undefined, name: string): string | undefined {
  const value = headers?.[name];
  return (Array.isArray(value) ? value[0] : value)?.toString();
}

/** By what the value of a letter is known again in the record that is replayed from it. */
export function digestOfValue(value: Buffer | null): Buffer {
  return createHash('sha256')
    .update(value ?? '')
    .digest();
}

function wholeNumber(headers: IHeaders | undefined, name: string): number | undefined {
  const text = headerText(headers, name);
  const number = Number(text);
  return text !== undefined && /^\d+$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}
