import { createHash } from 'node:crypto';

/** Every key that Tideline makes begins like this, so that whoever finds one knows what it is. */
export const keyPrefix = 'tl_';

/** SHA-256, which is all that is stored of a key. */
export function digestOfKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
