import { actingAs } from '@tideline/shared/http/authenticate';
import type { Principal } from '@tideline/shared/http/principal';
import type { Request } from 'express';

/** What a service reads for nobody in particular is what everybody may see. No user has this name. */
const anybody = '';

/** As whom a request reads what is somebody's profile, or an activity. */
export function readerOf(request: Request, principal: Principal): string {
  return actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : anybody);
}
