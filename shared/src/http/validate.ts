import type { z } from 'zod';
import { invalidRequest } from '../errors.js';

/** Parses what a request holds. Throws `invalid_request` whose details name each wrong place. */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw invalidRequest(
      `The ${what} is not valid.`,
      result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    );
  }
  return result.data;
}

/**
 * The query of a request as an object: all that follows the first question mark. Express parses repeated parameters
 * into arrays, which no schema here takes; empty ones are refused, because they are more often a client's mistake than
 * meant.
 */
export function queryOf(url: string): Record<string, string> {
  const query = new Map<string, string>();
  const start = url.indexOf('?');
  for (const [name, value] of new URLSearchParams(start === -1 ? '' : url.slice(start + 1))) {
    if (query.has(name)) {
      throw invalidRequest(`The query parameter ${name} is given twice.`);
    }
    if (value === '') {
      throw invalidRequest(`The query parameter ${name} is empty.`);
    }
    query.set(name, value);
  }
  // Makes a property of every name. An assignment would lose `__proto__`, which then nobody could refuse.
  return Object.fromEntries(query);
}
