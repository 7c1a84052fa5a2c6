import type { LiveRecord } from '@tideline/shared/live-records';
import { beforeEach, expect, test } from 'vitest';
import type { LiveEvent, LiveFeed } from './live-client.js';
import type { LiveEntry } from './live-log.js';
import { type LivePosition, parsePosition } from './live-position.js';
import { LiveStream } from './live-stream.js';

const start = { entry: '5-0', records: 0 };
const texts = new Map(['x', 'y', 'z'].map((id) => [id, `"${id}"`]));
let sent: LiveEvent[] = [];

beforeEach(() => {
  sent = [];
});

const nothingHidden = { unfollowed: new Set<string>(), hidden: new Set<string>(), merged: [] };
const bobHidden = { ...nothingHidden, hidden: new Set(['bob']) };

function stream(feed: LiveFeed = 'home', registerIsOf = start): LiveStream {
  const client = { send: (event: LiveEvent) => void sent.push(event), moved: () => undefined };
  return new LiveStream(
    'ada',
    feed,
    client,
    { register: nothingHidden, asOf: registerIsOf },
    { epoch: '1', own: start, pulled: start },
  );
}

const kinds = {
  a: 'home_added',
  d: 'home_removed',
  r: 'home_changed',
  n: 'notifications_added',
  m: 'notifications_removed',
  s: 'notifications_changed',
  g: 'register_changed',
  b: 'watch_began',
} as const satisfies Record<string, LiveRecord['kind']>;

function entry(id: string, ...records: [keyof typeof kinds, string, string?][]): LiveEntry {
  return {
    id,
    records: records.map(([kind, activityId, userId = 'ada']) => ({ kind: kinds[kind], activityId, userId })),
  };
}

const told = () => sent.map(({ event, data }) => `${event} ${data}`);

function handOut(to: LiveStream, entries: LiveEntry[], register = nothingHidden): void {
  const own = { after: '5-0', entries };
  to.handOut({ own: to.ownNews(own), pulled: [], register }, { activities: texts }, { own, pulled: undefined });
}

test('a stream tells what concerns its reader and its feed, in the order of the log', () => {
  const entries = [
    entry('6-0', ['a', 'x'], ['a', 'y', 'bob'], ['n', 'z'], ['g', '']),
    entry('7-0', ['d', 'x'], ['m', 'z'], ['r', ''], ['s', '']),
  ];
  handOut(stream(), entries);
  expect(told()).toEqual(['activity "x"', 'delete {"id":"x"}', 'resync {}']);
  sent = [];
  handOut(stream('notifications'), entries);
  expect(told()).toEqual(['activity "z"', 'delete {"id":"z"}', 'resync {}']);
});

test('whoever opens again with the id of an event gets all that followed it and nothing else', () => {
  const entries = [entry('6-0', ['a', 'x'], ['a', 'y']), entry('7-0', ['a', 'z'])];
  handOut(stream(), entries);
  expect(told()).toEqual(['activity "x"', 'activity "y"', 'activity "z"']);
  for (const [i, { id }] of [...sent.entries()]) {
    const again = new LiveStream(
      'ada',
      'home',
      { send: (event) => void sent.push(event), moved: () => undefined },
      { register: nothingHidden, asOf: start },
      parsePosition(id) as LivePosition,
    );
    sent = [];
    handOut(again, entries);
    expect(told()).toEqual(['activity "x"', 'activity "y"', 'activity "z"'].slice(i + 1));
  }
});

test('what its reader may not see is passed over', () => {
  const one = stream();
  handOut(one, [entry('6-0', ['a', 'hidden'], ['a', 'x'])]);
  expect(told()).toEqual(['activity "x"']);
  expect(one.position.own).toEqual({ entry: '6-0', records: 0 });
});

test('several reasons to read again are told once, until something else was told', () => {
  const one = stream();
  handOut(one, [entry('6-0', ['r', ''], ['b', ''], ['a', 'hidden'], ['r', ''], ['a', 'x'], ['r', ''])], bobHidden);
  expect(told()).toEqual(['resync {}', 'activity "x"', 'resync {}']);
  handOut(one, [], nothingHidden);
  expect(told().slice(3)).toEqual(['resync {}']);
});

test('what a register hid while nobody listened says to read again; later it is seen in the register', () => {
  const news = [entry('6-0', ['g', '']), entry('7-0', ['g', ''])];
  handOut(stream('home', { entry: '6-0', records: 0 }), news);
  expect(told()).toEqual(['resync {}']);
  sent = [];
  const one = stream();
  handOut(one, news);
  expect(told()).toEqual([]);
  handOut(one, [], bobHidden);
  handOut(one, [], bobHidden);
  expect(told()).toEqual(['resync {}']);
});

test('it moves to where the log was read to, and never back', () => {
  const one = stream();
  handOut(one, [entry('6-0', ['a', 'x']), entry('9-0', ['a', 'z', 'bob'])]);
  expect(one.position.own).toEqual({ entry: '9-0', records: 0 });
  handOut(one, [entry('6-0', ['a', 'x'])]);
  expect(one.position.own).toEqual({ entry: '9-0', records: 0 });
  one.end();
  handOut(one, [entry('6-0', ['a', 'x']), entry('10-0', ['a', 'y'])]);
  expect(told()).toEqual(['activity "x"']);
});
