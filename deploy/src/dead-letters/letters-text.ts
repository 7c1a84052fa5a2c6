import { headersOfRecord } from '@tideline/shared/dead-letter-headers';
import type { KnownLetter, LetterList } from './list-letters.js';

const errorWidth = 80;

/** A letter for scripts: all but its value, of which the size. */
export function letterJson(letter: KnownLetter): Record<string, unknown> {
  const { id, writtenAt, topic, version, attempts, stage, errorClass, errorMessage, isCut, message, decision } = letter;
  const { state, reason, decidedAt } = decision;
  return {
    letter: id,
    state,
    reason,
    decidedAt,
    writtenAt: new Date(writtenAt).toISOString(),
    stage,
    attempts,
    topic,
    ...version,
    errorClass,
    errorMessage,
    key: message.key?.toString() ?? null,
    headers: recordHeadersOf(letter),
    valueBytes: message.value?.length ?? 0,
    isCut,
  };
}

/** The same with the value: as text, where it is text, else in base64. */
export function letterWithValueJson(letter: KnownLetter): Record<string, unknown> {
  const { value } = letter.message;
  const text = textOf(value);
  return {
    ...letterJson(letter),
    ...(text === undefined ? { valueBase64: value?.toString('base64') } : { value: text }),
  };
}

export function listJson({ chosen, total, byStage, letters }: LetterList): Record<string, unknown> {
  return { chosen, total, byStage, letters: letters.map(letterJson) };
}

export function listText({ chosen, total, byStage, letters }: LetterList, decided: boolean): string {
  const stages = Object.entries(byStage).map(([stage, count]) => `${count} ${plain(stage)}`);
  const head = decided
    ? `${chosen} dead letters`
    : `${chosen} open dead letter${chosen === 1 ? '' : 's'}, of ${total} on the topic`;
  if (chosen === 0) {
    return `${head}.`;
  }
  const rows = letters.map((letter) => [
    letter.id,
    new Date(letter.writtenAt).toISOString().slice(0, 19).replace('T', ' '),
    letter.decision.state,
    plain(letter.stage ?? '?'),
    String(letter.attempts ?? '?'),
    placeText(letter),
    plain(letter.message.key?.toString() ?? '-'),
    short(`${letter.errorClass ?? '?'}: ${letter.errorMessage ?? '?'}`),
  ]);
  const table = [['LETTER', 'WRITTEN (UTC)', 'STATE', 'STAGE', 'TRIED', 'RECORD', 'KEY', 'ERROR'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const rest = chosen > letters.length ? `\nThe newest ${letters.length} are shown; --limit shows more.` : '';
  return `${head}: ${stages.join(', ')}.\n\n${lines.join('\n')}${rest}`;
}

export function letterText(letter: KnownLetter): string {
  const { decision, message } = letter;
  const text = textOf(message.value);
  const reason = decision.reason === undefined ? '' : `, because: ${plain(decision.reason)}`;
  const lines: [string, string][] = [
    ['letter', `${letter.id}, written ${new Date(letter.writtenAt).toISOString()}`],
    ['state', `${decision.state}${decision.decidedAt ? ` since ${decision.decidedAt.toISOString()}` : ''}${reason}`],
    ['record', `${plain(letter.topic ?? '?')}, generation/partition/offset ${placeText(letter)}`],
    ['stage', `${plain(letter.stage ?? '?')}, tried ${letter.attempts ?? '?'} times`],
    ['error', `${plain(letter.errorClass ?? '?')}: ${plain(letter.errorMessage ?? '?')}`],
    ['key', plain(message.key?.toString() ?? 'none')],
    ...Object.entries(recordHeadersOf(letter)).map(([name, value]): [string, string] => [
      `header ${plain(name)}`,
      plain(value),
    ]),
    [
      'value',
      letter.isCut
        ? 'too large for the dead-letter topic, and not in it'
        : text === undefined
          ? `${message.value?.length ?? 0} bytes that are no text, in base64:`
          : '',
    ],
  ];
  const head = lines.map(([name, value]) => `${name}: ${value}`.trimEnd()).join('\n');
  return `${head}\n${text === undefined ? (message.value?.toString('base64') ?? '') : plain(indented(text))}`;
}

function placeText({ version }: KnownLetter): string {
  return version === undefined ? '?' : `${version.generation}/${version.partition}/${version.offset}`;
}

function recordHeadersOf({ message }: KnownLetter): Record<string, string> {
  const own = Object.entries(headersOfRecord(message.headers));
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
}

/** Undefined for what is no UTF-8. */
function textOf(value: Buffer | null): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value ?? Buffer.alloc(0));
  } catch {
    return undefined;
  }
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function short(text: string): string {
  const line = plain(text).replaceAll(/\s+/g, ' ');
  return line.length > errorWidth ? `${line.slice(0, errorWidth - 1)}…` : line;
}

/** What others wrote: a terminal obeys control characters, and some turn the direction of writing. */
function plain(text: string): string {
  return text.replace(/[^\n\P{Cc}]|\p{Zl}|\p{Zp}/gu, ' ').replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
}
