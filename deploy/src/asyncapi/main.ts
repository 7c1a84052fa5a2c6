import { writeFile } from 'node:fs/promises';
import { inCheckout } from '../servers/checkout.js';
import { asyncApiFile, asyncApiJson } from './asyncapi-document.js';

await writeFile(inCheckout(asyncApiFile), asyncApiJson());
console.log(`wrote ${asyncApiFile}`);
