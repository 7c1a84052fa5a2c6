import { listKinds } from '@tideline/shared/feed-lists';
import fc from 'fast-check';
import {
  type Command,
  type Crowd,
  type Expire,
  type MarkNotifications,
  type Publish,
  type Strategy,
  userCount,
} from './commands.js';
import type { Change, Mark } from './reference-model.js';

/** What is done in one history, with users of its own. At the end of each phase the system comes to rest. */
export interface History {
  follows: readonly { user: number; other: number }[];
  phases: readonly (readonly Command[])[];
}

export const phaseCount = 3;

const commandsMax = 18;
const followsMax = 14;
/** One list is trimmed only when it exceeds its cap by much, so some publish a lot at once. */
const burstMax = 45;
const pagesMax = 4;
const flipsMax = 3;
const dayMs = 86_400_000;
const agesMs = [0, 1, 2, 1_000, 3_600_000, 10 * dayMs, 400 * dayMs];

const user = fc.nat({ max: userCount - 1 });
const eitherOne = fc.nat({ max: 1 });
const back = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 40 }));
const limit = fc.constantFrom(1, 2, 3, 5, 7, 10, 20, 50);
const pages = fc.integer({ min: 1, max: pagesMax });
const pairOfUsers = fc
  .record({ user, step: fc.integer({ min: 1, max: userCount - 1 }) })
  .map((given) => ({ user: given.user, other: (given.user + given.step) % userCount }));

const publish: fc.Arbitrary<Publish> = fc
  .record({
    actor: user,
    count: fc.oneof(
      { weight: 3, arbitrary: fc.constant(1) },
      { weight: 2, arbitrary: fc.integer({ min: 2, max: 5 }) },
      { weight: 1, arbitrary: fc.integer({ min: 6, max: 24 }) },
      { weight: 1, arbitrary: fc.integer({ min: 30, max: burstMax }) },
    ),
    agoMs: fc.option(fc.constantFrom(...agesMs), { nil: undefined, freq: 2 }),
    to: fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.uniqueArray(user, { minLength: 1, maxLength: 3 }) },
    ),
    likes: fc.option(user, { nil: undefined, freq: 1 }),
    by: fc.constantFrom<Publish['by']>('foreign id', 'foreign id', 'key', 'nothing'),
    deletedFirst: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
    ingest: eitherOne,
  })
  .map((given) => ({
    kind: 'publish',
    ...given,
    agoMs: given.by === 'foreign id' ? (given.agoMs ?? 0) : given.agoMs,
    deletedFirst: given.by === 'foreign id' && given.deletedFirst,
  }));

const crowd: fc.Arbitrary<Crowd> = fc.record({
  kind: fc.constantFrom<Crowd['kind']>('gather', 'leave'),
  author: user,
  stay: fc.nat({ max: 2 }),
  ingest: eitherOne,
});

function relate(weight: number, ...kinds: (Change | 'flip')[]) {
  const arbitrary: fc.Arbitrary<Command> = fc
    .record({ kind: fc.constantFrom(...kinds), between: pairOfUsers, ingest: eitherOne })
    .map(({ kind, between, ingest }) => ({ kind, ...between, ingest }));
  return { weight, arbitrary };
}

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 9, arbitrary: publish },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('retry' as const), back, altered: fc.boolean(), ingest: eitherOne }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      back,
      caller: fc.option(user, { nil: undefined, freq: 2 }),
      ingest: eitherOne,
    }),
  },
  relate(3, 'follow'),
  relate(3, 'unfollow'),
  relate(3, 'flip'),
  relate(4, 'mute', 'unmute', 'block', 'unblock'),
  {
    weight: 2,
    arbitrary: fc
      .record({
        between: pairOfUsers,
        flips: fc.integer({ min: 1, max: flipsMax }),
        ingest: eitherOne,
        feedApi: eitherOne,
      })
      .map(({ between: { user: reader, other }, ...given }) => ({ kind: 'storm' as const, reader, other, ...given })),
  },
  { weight: 3, arbitrary: crowd },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      user,
      what: fc.constantFrom<Expire['what']>(...listKinds, 'register'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      reader: user,
      strategy: fc.constantFrom<Strategy>('hybrid', 'hybrid', 'hybrid', 'push', 'pull'),
      limit,
      pages,
      cold: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
      meanwhile: fc.boolean(),
      feedApi: eitherOne,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), view: eitherOne }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('notifications' as const),
      reader: user,
      limit,
      pages,
      cold: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
      meanwhile: fc.boolean(),
      feedApi: eitherOne,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('mark' as const),
      reader: user,
      as: fc.constantFrom<Mark>('seen', 'read'),
      how: fc.constantFrom<MarkNotifications['how']>('up to', 'ids'),
      back,
      feedApi: eitherOne,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('go on' as const), back, limit, pages, feedApi: eitherOne }) },
);

// Sizes are meant: fast-check would make most arrays short otherwise.
export const historyArbitrary: fc.Arbitrary<History> = fc.record({
  follows: fc.uniqueArray(pairOfUsers, {
    maxLength: followsMax,
    size: 'max',
    selector: (pair) => `${pair.user} ${pair.other}`,
  }),
  phases: fc.array(fc.array(command, { maxLength: commandsMax, size: 'max' }), {
    minLength: phaseCount,
    maxLength: phaseCount,
    size: 'max',
  }),
});

/** The value that the arbitrary gives for a seed: the one that `fc.check` shrinks from with `checkOptions(seed)`. */
export function generate<T>(arbitrary: fc.Arbitrary<T>, seed: number): T {
  const values: T[] = [];
  fc.check(
    fc.property(arbitrary, (value) => {
      values.push(value);
    }),
    checkOptions(seed),
  );
  const [value] = values;
  if (value === undefined) {
    throw new Error('nothing was generated');
  }
  return value;
}

/** Biased, the first value would be one of the smallest. */
export function checkOptions(seed: number) {
  return { seed, numRuns: 1, unbiased: true } as const;
}
