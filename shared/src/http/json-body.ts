import type { RequestHandler } from 'express';
import { activityLimits } from '../activity.js';
import { invalidRequest, TidelineError } from '../errors.js';
import { readBody } from './read-body.js';

/**
 * Reads a JSON body strictly. Refused, each with its own message: another content type or charset (415), more than
 * `sizeMaxBytes` (413), slower than 15 s (408), invalid UTF-8, malformed JSON, and values that cannot be stored as they are: NUL, unpaired
 * surrogates, numbers out of range, `__proto__`, `constructor` and `prototype` as names, nesting over 8.
 * Where a route takes one item or an array of them, `arraySizeMaxBytes` is the limit of an array.
 */
export function jsonBody(sizeMaxBytes: number, arraySizeMaxBytes = sizeMaxBytes): RequestHandler[] {
  return [requireContentType('application/json'), parse(sizeMaxBytes, arraySizeMaxBytes)];
}

const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype']);

/** Refuses bodies of another content type, or in another charset than UTF-8. */
export function requireContentType(wanted: string): RequestHandler {
  return (request, _response, next) => {
    const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
    const charset = parameters.map((each) => each.trim()).find((each) => each.startsWith('charset='));
    if (type.trim() !== wanted || (charset !== undefined && !/^charset="?utf-8"?$/.test(charset))) {
      throw new TidelineError('unsupported_media_type', `The body must be ${wanted} in UTF-8.`);
    }
    next();
  };
}

function parse(itemSizeMaxBytes: number, sizeMaxBytes: number): RequestHandler {
  return async (request, _response, next) => {
    const bytes = await readBody(request, sizeMaxBytes);
    if (bytes.length === 0) {
      throw invalidRequest('The request has no body.');
    }
    const value = parseJson(bytes);
    if (bytes.length > itemSizeMaxBytes && !Array.isArray(value)) {
      throw new TidelineError('payload_too_large', 'The body is too large.');
    }
    request.body = value;
    next();
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws `invalid_request`. */
export function parseJson(bytes: Buffer): unknown {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw invalidRequest(error instanceof TypeError ? 'The body is not valid UTF-8.' : 'The body is not valid JSON.');
  }
  refuseUnstorable(value);
  return value;
}

/** Walks without recursion: the depth is the sender's choice. */
function refuseUnstorable(root: unknown): void {
  // The array of a batch does not count as a level of its activities.
  const waiting: Visit[] = [{ value: root, depth: Array.isArray(root) ? 0 : 1 }];
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    const { value, depth } = visit;
    if (typeof value === 'string') {
      refuseText(value);
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      throw invalidRequest('The body has a number that is out of range.');
    } else if (typeof value === 'object' && value !== null) {
      // Not spread into one call: a flat array of millions would overflow the stack.
      for (const child of childrenOf(value, depth)) {
        waiting.push(child);
      }
    }
  }
}

interface Visit {
  value: unknown;
  /** Of an object or array: its own level, from 1. */
  depth: number;
}

function childrenOf(parent: object, depth: number): Visit[] {
  if (depth > activityLimits.nestingMax) {
    throw invalidRequest(`The body is nested deeper than ${activityLimits.nestingMax} levels.`);
  }
  return Object.entries(parent).map(([name, value]) => {
    if (forbiddenNames.has(name)) {
      throw invalidRequest(`The body uses the forbidden name ${name}.`);
    }
    refuseText(name);
    return { value: value as unknown, depth: depth + 1 };
  });
}

function refuseText(text: string): void {
  if (text.includes('\0')) {
    throw invalidRequest('The body has a NUL character.');
  }
  if (!text.isWellFormed()) {
    throw invalidRequest('The body has an unpaired surrogate.');
  }
}
