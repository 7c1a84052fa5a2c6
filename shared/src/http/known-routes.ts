import type { RequestHandler, Router } from 'express';
import { TidelineError } from '../errors.js';

/** OPTIONS says which methods a route takes. */
export function answerOptions(routers: readonly Router[]): RequestHandler {
  return (request, response, next) => {
    const methods = request.method === 'OPTIONS' ? methodsOf(routers, request.path) : [];
    if (methods.length === 0) {
      next();
    } else {
      response
        .set('Allow', [...methods, 'OPTIONS'].join(', '))
        .status(204)
        .end();
    }
  };
}

/** 404, or 405 with `Allow` where the path has routes of other methods. */
export function unknownRoute(routers: readonly Router[]): RequestHandler {
  return (request, response) => {
    const methods = methodsOf(routers, request.path);
    if (methods.length === 0) {
      throw new TidelineError('not_found', 'There is no such route.');
    }
    response.set('Allow', methods.join(', '));
    throw new TidelineError('method_not_allowed', `This route takes ${methods.join(' and ')}.`);
  };
}

interface Layer {
  match(path: string): boolean;
  route?: { methods: Record<string, boolean> };
}

function methodsOf(routers: readonly Router[], path: string): string[] {
  const methods = routers
    .flatMap((router) => router.stack as unknown as Layer[])
    .filter((layer) => layer.route !== undefined && layer.match(path))
    .flatMap((layer) => Object.keys(layer.route?.methods ?? {}))
    .map((method) => method.toUpperCase());
  // Express answers HEAD with the route of GET.
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}
