import type { LogVersion } from '@tideline/shared/activity-record';
import type { Database } from '@tideline/shared/database';
import {
  attemptsNamedBy,
  type DeadLetterStage,
  digestOfValue,
  namesPlace,
  placeNamedBy,
} from '@tideline/shared/dead-letter-headers';
import { UnknownRecordVersionError } from '@tideline/shared/record-versions';
import type { KafkaMessage } from 'kafkajs';
import { ReplayRefusedError } from '../delivery/replay-refused.js';
import { isReplayed } from '../storage/dead-letter-decisions.js';

/** A message, and which place on the log counts for it. */
export interface Arrival {
  message: KafkaMessage;
  /** The version of the record (I1): where it stands, or stood when it was given up first. */
  version: LogVersion;
  /** Where it stands, where that is not its version. */
  replayedAt?: LogVersion;
  /** How often it is tried with this time. */
  attempts: number;
}

/** A message that stands where it stands. */
export function arrivedAt(place: LogVersion, message: KafkaMessage): Arrival {
  return { message, version: place, attempts: 1 };
}

/** Whether the message says that another place counts for it. */
export function saysReplayed({ message }: Arrival): boolean {
  return namesPlace(message.headers);
}

/**
 * A replayed record with the version that it had. Anybody who may write to the topic can say that a record is one, so an
 * operator must have had it replayed, this value from this place; and the place must be before its own, so that no record can
 * win against what is yet to come. Throws `ReplayRefusedError`, or what the database says.
 */
export async function asReplayed(database: Database, { message, version: at }: Arrival): Promise<Arrival> {
  const version = placeNamedBy(message.headers);
  if (version === undefined) {
    throw new ReplayRefusedError('its headers name no place');
  }
  if (!isBefore(version, at)) {
    throw new ReplayRefusedError('the place that it names is not before its own, in the same partition');
  }
  if (!(await isReplayed(database, version, digestOfValue(message.value)))) {
    throw new ReplayRefusedError('no operator had this record replayed');
  }
  return { message, version, replayedAt: at, attempts: (attemptsNamedBy(message.headers) ?? 1) + 1 };
}

/** Where a record was given up, by what was thrown. */
export function stageOf(error: unknown, otherwise: DeadLetterStage): DeadLetterStage {
  if (error instanceof ReplayRefusedError) {
    return 'replay';
  }
  return error instanceof UnknownRecordVersionError ? 'version' : otherwise;
}

/** Between generations partitions may have changed. */
function isBefore(place: LogVersion, other: LogVersion): boolean {
  return place.generation === other.generation
    ? place.partition === other.partition && place.offset < other.offset
    : place.generation < other.generation;
}
