import { styleText } from 'node:util';
import type { FeedItem } from '@tideline/shared/activity';

const textLengthMax = 80;
const nameWidth = 12;

/** A feed as lines of a terminal. */
export interface FeedLines {
  activity(item: FeedItem): string;
  /** `item` is what was deleted, where that was shown. */
  deletion(id: string, item: FeedItem | undefined): string;
  /** Something may have happened that did not come. */
  gap(): string;
}

const past: Record<string, string> = {
  post: 'posted',
  like: 'liked',
  share: 'shared',
  comment: 'commented on',
};

type Style = Parameters<typeof styleText>[0];

export function feedLines(colours: boolean): FeedLines {
  const paint = (style: Style, text: string) => (colours ? styleText(style, text, { validateStream: false }) : text);
  const sentence = ({ actorName, verb, ...item }: FeedItem) => {
    const target = item.targetType === undefined ? '' : ` → ${thing(item.targetType, item.targetTitle, item.targetId)}`;
    const who = plain(actorName).padEnd(nameWidth);
    return `${paint('cyan', who)} ${paint('yellow', past[verb] ?? verb)} ${thing(item.objectType, item.objectTitle, item.objectId)}${target}`;
  };
  return {
    activity: (item) => `${paint('dim', timeOf(item.timestamp))}  ${sentence(item)}`,
    deletion: (id, item) =>
      `${paint('dim', timeOf(Date.now()))}  ${paint('red', 'deleted')}: ${item === undefined ? id : sentence(item)}`,
    gap: () => paint('dim', '— some of what happened may not have come; this is the feed as it is now —'),
  };
}

function thing(type: string, title: string | undefined, id: string | undefined): string {
  return title === undefined || title === '' ? `${plain(type)} ${plain(id ?? '')}` : `${plain(type)} “${plain(title)}”`;
}

/** The time of day where it is today's, else the day too; local. */
function timeOf(ms: number): string {
  const time = new Date(ms);
  const clock = time.toTimeString().slice(0, 8);
  if (time.toDateString() === new Date().toDateString()) {
    return clock;
  }
  const number = (value: number) => String(value).padStart(2, '0');
  return `${time.getFullYear()}-${number(time.getMonth() + 1)}-${number(time.getDate())} ${clock}`;
}

/**
 * What others wrote, on one line: a terminal obeys control characters, and characters that turn the direction of writing
 * could make a line say something else.
 */
function plain(text: string): string {
  const safe = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
  return safe.length > textLengthMax ? `${safe.slice(0, textLengthMax - 1)}…` : safe;
}
