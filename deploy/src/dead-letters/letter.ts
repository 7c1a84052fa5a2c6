import type { LogVersion } from '@tideline/shared/activity-record';
import { attemptsNamedBy, deadLetterHeaders, headerText, placeNamedBy } from '@tideline/shared/dead-letter-headers';
import type { createKafka } from '@tideline/shared/kafka-client';

type Consumer = ReturnType<ReturnType<typeof createKafka>['consumer']>;
type EachBatch = NonNullable<NonNullable<Parameters<Consumer['run']>[0]>['eachBatch']>;
/** A message as kafkajs gives it. */
export type Message = Parameters<EachBatch>[0]['batch']['messages'][number];

/** A record that was given up, as the dead-letter topic has it. */
export interface Letter {
  /** `partition:offset` on the dead-letter topic. */
  id: string;
  partition: number;
  offset: number;
  /** Unix milliseconds. */
  writtenAt: number;
  /** Topic and place where the record stood; undefined where the letter does not say: something else wrote it. */
  topic: string | undefined;
  version: LogVersion | undefined;
  attempts: number | undefined;
  stage: string | undefined;
  errorClass: string | undefined;
  errorMessage: string | undefined;
  /** The value was too large for the dead-letter topic, and is missing. */
  isCut: boolean;
  message: Message;
}

export function letterOf(partition: number, message: Message): Letter {
  const { headers } = message;
  return {
    id: `${partition}:${message.offset}`,
    partition,
    offset: Number(message.offset),
    writtenAt: Number(message.timestamp),
    topic: headerText(headers, deadLetterHeaders.topic),
    version: placeNamedBy(headers),
    attempts: attemptsNamedBy(headers),
    stage: headerText(headers, deadLetterHeaders.stage),
    errorClass: headerText(headers, deadLetterHeaders.errorClass),
    errorMessage: headerText(headers, deadLetterHeaders.errorMessage),
    isCut: headerText(headers, deadLetterHeaders.omittedBytes) !== undefined,
    message,
  };
}
