import { principalOf, requireScope, requireService } from '@tideline/shared/http/authenticate';
import { queryOf, validate } from '@tideline/shared/http/validate';
import type { RequestHandler } from 'express';
import { z } from 'zod';

const noParameters = z.strictObject({});

const noQuery: RequestHandler = (request, _response, next) => {
  validate(noParameters, queryOf(request.url), 'query');
  next();
};

const mayWrite: RequestHandler = (request, _response, next) => {
  requireScope(principalOf(request), 'write');
  next();
};

const isWritingService: RequestHandler = (request, _response, next) => {
  requireService(principalOf(request), 'write');
  next();
};

/** What every route here asks for before it reads a body: the right to write, and no query parameters. */
export const forWriters: readonly RequestHandler[] = [mayWrite, noQuery];

/** The same for routes that user keys may not use. */
export const forServices: readonly RequestHandler[] = [isWritingService, noQuery];
