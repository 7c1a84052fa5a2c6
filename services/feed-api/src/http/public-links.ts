import { queryOf } from '@tideline/shared/http/validate';
import type { Request } from 'express';

/** No name that a client can have sent is more than this: it goes into links. */
const hostPattern = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/** Absolute links into this service, as its clients see it. */
export class PublicLinks {
  readonly #publicUrl: string | undefined;

  /** `publicUrl` is where clients find the root of this service; without it, where this request found it. */
  constructor(publicUrl: string | undefined) {
    this.#publicUrl = publicUrl?.replace(/\/+$/, '');
  }

  /** `path` begins with a slash. */
  to(request: Request, path: string): string {
    return `${this.#publicUrl ?? originOf(request)}${path}`;
  }

  /** The route that is being read, with the same parameters but for the cursor. */
  page(request: Request, cursor?: string): string {
    const { cursor: _own, ...parameters } = queryOf(request.url);
    const query = new URLSearchParams({ ...parameters, ...(cursor === undefined ? {} : { cursor }) }).toString();
    return this.to(request, query === '' ? request.path : `${request.path}?${query}`);
  }
}

function originOf(request: Request): string {
  const { host = '' } = request.headers;
  return `${request.protocol}://${hostPattern.test(host) ? host : 'localhost'}`;
}
