import { fileURLToPath } from 'node:url';

/** The checkout. Seen from here, it is in the same place whether this runs as source or compiled. */
const checkoutFolder = new URL('../../../', import.meta.url);

/** The absolute path of a file of the checkout. */
export function inCheckout(path: string): string {
  return fileURLToPath(new URL(path, checkoutFolder));
}
