import { expect, test } from 'vitest';
import { waitPreferenceOf } from './prefer-wait.js';

const wait = (prefer?: string) => waitPreferenceOf({ headers: prefer === undefined ? {} : { prefer } });

test('a wait is whole seconds, at most ten, among other preferences', () => {
  expect(wait('wait=3')).toBe(3);
  expect(wait('respond-async, WAIT = 7; foo=bar, return=minimal')).toBe(7);
  expect(wait('wait="4"')).toBe(4);
  expect(wait('wait=0')).toBe(0);
  expect(wait('wait=11')).toBe(10);
  expect(wait(`wait=${'9'.repeat(400)}`)).toBe(10);
});

test('of several waits the first counts', () => {
  expect(wait('wait=2, wait=5')).toBe(2);
  expect(wait('wait=soon, wait=5')).toBeUndefined();
});

test('what is no wait, or a malformed one, is ignored', () => {
  for (const other of [undefined, '', 'wait', 'wait=', 'wait=-1', 'wait=1.5', 'wait="1', 'waiting=3', 'a=wait=3']) {
    expect(wait(other), other).toBeUndefined();
  }
});
