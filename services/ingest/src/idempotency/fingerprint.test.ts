import { expect, test } from 'vitest';
import { fingerprintOf } from './fingerprint.js';

const request = { method: 'POST', url: '/v1/activities', actAs: undefined, body: { a: [{ b: 1, c: 2 }], d: null } };

test('the order of names does not make another request; the order of a list does', () => {
  expect(fingerprintOf({ ...request, body: { d: null, a: [{ c: 2, b: 1 }] } })).toBe(fingerprintOf(request));
  expect(fingerprintOf({ ...request, body: [1, 2] })).not.toBe(fingerprintOf({ ...request, body: [2, 1] }));
});

test('another method, path, user or body is another request', () => {
  const others = [
    { ...request, method: 'PUT' },
    { ...request, url: '/v1/activities?x=1' },
    { ...request, actAs: 'anna' },
    { ...request, body: undefined },
    { ...request, body: { a: [{ b: 1, c: '2' }], d: null } },
  ];
  expect(new Set([request, ...others].map(fingerprintOf)).size).toBe(others.length + 1);
});
