import type { ScriptCall } from '@tideline/shared/cache';
import { unavailable } from '@tideline/shared/errors';
import { expect, test } from 'vitest';
import type { PullCacheOutcome } from '../metrics.js';
import type { SqlScope } from '../storage/sql-scope.js';
import { PullCache, type PullCacheTools } from './pull-cache.js';

interface Row {
  id: string;
  actorId: string;
}

/** A reader, what Redis says of it, and what became of its reads. */
function startCase(keepMs = 30_000) {
  const state = {
    token: 'first',
    redisIsUp: true,
    stored: [{ id: '2', actorId: 'ada' }] as Row[],
    restorable: true,
    unfollowed: new Set<string>(),
    deleted: new Set<string>(),
    /** Happens while the query runs. */
    meanwhile: () => undefined as unknown,
  };
  const outcomes: PullCacheOutcome[] = [];
  let queries = 0;
  const tools = {
    cache: {
      keys: { bucketEpoch: () => '', pullToken: () => '', epoch: '1' },
      run: (calls: ScriptCall[]) =>
        state.redisIsUp
          ? Promise.resolve(calls.map((_, i) => (i === 0 ? Buffer.from(state.token) : null)))
          : Promise.reject(unavailable('Redis is not available')),
    },
    registers: { headCall: () => ({}), confirm: () => Promise.resolve({ unfollowed: state.unfollowed }) },
    tombstones: {
      refresh: () => ({
        call: {},
        confirm: () => Promise.resolve({ cover: ({ id }: Row) => state.deleted.has(id) }),
      }),
    },
    metrics: { pullCacheRead: (outcome: PullCacheOutcome) => outcomes.push(outcome) },
  };
  const cache = new PullCache(tools as unknown as PullCacheTools, keepMs);
  const read = (name = 'home', goAround = false) =>
    cache.read<Row, Row>(
      {} as SqlScope,
      {
        reader: 'reader',
        name,
        run: () => {
          queries += 1;
          const rows = [...state.stored];
          state.meanwhile();
          return Promise.resolve(rows);
        },
        keep: (row) => row,
        restore: (kept) => Promise.resolve(state.restorable ? [...kept] : []),
        shows: ({ actorId }, { unfollowed }) => !unfollowed.has(actorId),
      },
      goAround,
    );
  return { state, outcomes, read, queries: () => queries };
}

test('a kept answer is good for its own query alone', async () => {
  const { read, outcomes, state } = startCase();
  const rows = await read();
  state.stored = [];
  expect(await read()).toEqual(rows);
  expect(await read('friends')).toEqual([]);
  expect(outcomes).toEqual(['miss', 'hit', 'miss']);
});

test.each([
  ['another token', { token: 'second' }],
  ['an author who was unfollowed', { unfollowed: new Set(['ada']) }],
  ['an activity that was deleted', { deleted: new Set(['2']) }],
  ['a body that is not there any more', { restorable: false }],
])('%s ends it', async (_, change) => {
  const { read, outcomes, state } = startCase();
  await read();
  Object.assign(state, { stored: [] }, change);
  expect(await read()).toEqual([]);
  expect(outcomes).toEqual(['miss', 'ended']);
});

test('an answer that the reader wrote over while it was being read is not shown again', async () => {
  const { read, state, outcomes } = startCase();
  state.meanwhile = () => {
    state.token = 'second';
    state.stored = [];
  };
  expect(await read()).toHaveLength(1);
  expect(await read()).toEqual([]);
  expect(outcomes).toEqual(['miss', 'ended']);
});

test('without Redis every answer comes from the query, and none is kept', async () => {
  const { read, state, outcomes } = startCase();
  state.redisIsUp = false;
  await read();
  state.redisIsUp = true;
  await read();
  state.redisIsUp = false;
  state.stored = [];
  expect(await read()).toEqual([]);
  expect(outcomes).toEqual(['off', 'miss', 'off']);
});

test('a client that goes around it gets what is there, and so does everybody where nothing is kept', async () => {
  const { read, state, outcomes } = startCase();
  await read();
  state.stored = [];
  expect(await read('home', true)).toEqual([]);
  expect(outcomes).toEqual(['miss', 'around']);

  const off = startCase(0);
  await off.read();
  await off.read();
  expect(off.queries()).toBe(2);
  expect(off.outcomes).toEqual([]);
});
