import { expect, test } from 'vitest';
import { aggregationDefault, aggregationSchema, parseAggregationRules } from './aggregation-rules.js';

test('by default activities of the same verb and object within one hour belong together', () => {
  expect(parseAggregationRules(aggregationSchema.parse(aggregationDefault))).toEqual(
    new Map([['*', { by: 'object', windowMs: 3_600_000 }]]),
  );
});

test('each verb can have a rule of its own, or stand alone', () => {
  const text = 'like=target/24,share=actor/3,comment=none,*=object/1';
  expect([...parseAggregationRules(aggregationSchema.parse(text))]).toEqual([
    ['like', { by: 'target', windowMs: 86_400_000 }],
    ['share', { by: 'actor', windowMs: 10_800_000 }],
    ['comment', null],
    ['*', { by: 'object', windowMs: 3_600_000 }],
  ]);
});

test.each([
  ['', /"" is not verb=none/],
  ['like=object/1', /one for \*/],
  ['*=object/1,*=none', /one rule for each verb/],
  ['like=none,like=none,*=none', /one rule for each verb/],
  ['*=object/5', /hours that divide a day/],
  ['*=object/0', /hours that divide a day/],
  ['*=object', /"\*=object" is not/],
  ['*=verb/1', /is not/],
  ["like'=none,*=object/1", /is not/],
  ['Like=none,*=object/1', /is not/],
  [' *=object/1', /is not/],
  [[...Array.from({ length: 100 }, (_, i) => `v${i}=none`), '*=none'].join(), /at most 100 rules/],
])('"%s" is no setting', (text, problem) => {
  expect(aggregationSchema.safeParse(text).error?.issues[0]?.message).toMatch(problem);
});
