import { expect, test } from 'vitest';
import { z } from 'zod';
import { queryOf, validate } from './validate.js';

test('a query is an object of its parameters, decoded', () => {
  expect(queryOf('/v1/feeds/home?limit=5&cursor=a%20b')).toEqual({ limit: '5', cursor: 'a b' });
  expect(queryOf('/v1/feeds/home')).toEqual({});
  expect(queryOf('/v1/feeds/home?')).toEqual({});
});

test('a second question mark belongs to the value that it stands in', () => {
  expect(queryOf('/path?limit=5?')).toEqual({ limit: '5?' });
  expect(queryOf('/path?limit=5?cursor=x&a=b')).toEqual({ limit: '5?cursor=x', a: 'b' });
});

test.each(['a=1&a=2', 'a=', 'a', 'a=1&b=', '=', '__proto__=1&__proto__=2'])('?%s is refused', (query) => {
  expect(() => queryOf(`/path?${query}`)).toThrow(/given twice|is empty/);
});

test('no name escapes a schema that takes no unknown ones', () => {
  for (const name of ['__proto__', 'constructor', 'toString', '']) {
    const query = queryOf(`/path?${name}=1`);
    expect(Object.keys(query)).toEqual([name]);
    expect(() => validate(z.strictObject({}), query, 'query')).toThrow('The query is not valid.');
  }
});

test('a refusal names each wrong place and keeps what was said out of it', () => {
  const schema = z.strictObject({ items: z.array(z.strictObject({ id: z.string() })) });
  expect(() => validate(schema, { items: [{ id: 'a' }, { id: 1 }] }, 'body')).toThrow(
    expect.objectContaining({
      code: 'invalid_request',
      details: [{ path: 'items.1.id', message: expect.stringContaining('expected string') as string }],
    }) as Error,
  );
});
