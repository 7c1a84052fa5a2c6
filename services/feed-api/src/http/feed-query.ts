import type { Request } from 'express';
import { z } from 'zod';

const limitMax = 50;
const limitDefault = 20;
const cursorLengthMax = 128;

const limitSchema = z
  .string()
  .regex(/^[1-9]\d?$/, 'must be a whole number from 1 to 50')
  .transform(Number)
  .refine((limit) => limit <= limitMax, 'must be a whole number from 1 to 50')
  .default(limitDefault)
  .meta({ type: 'integer', minimum: 1, maximum: limitMax, default: limitDefault, pattern: undefined });

/** What pages take. */
export const pageQuery = z.strictObject({
  limit: limitSchema,
  cursor: z
    .string()
    .max(cursorLengthMax)
    .optional()
    .meta({ description: 'From a page: its `nextCursor`, or one of its `paging`.' }),
});

/** Of routes whose pages may have been kept for a moment. */
export const goAroundHeader = z.object({
  'Cache-Control': z
    .string()
    .optional()
    .meta({ description: '`no-cache` asks for what the database says now; else a page may be some seconds old.' }),
});

/** Whether the client wants nothing that was kept. */
export function goesAround(request: Request): boolean {
  const directives = (request.headers['cache-control'] ?? '').toLowerCase().split(',');
  return directives.some((directive) => ['no-cache', 'no-store'].includes(directive.trim()));
}
