import type { Request } from 'express';
import { z } from 'zod';

const limitMax = 50;
const limitDefault = 20;
const cursorLengthMax = 1_114;

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

/** Of feeds whose activities can be put together. */
export const aggregateSchema = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .default(false)
  .meta({ type: 'string', enum: ['true', 'false'], default: 'false', description: 'Groups instead of activities.' });

export const aggregationNote =
  'Aggregated, activities of the same verb and object within one hour of the clock (UTC) are one item, which stands where the newest of them stands: as it is, with `aggregatedCount` (activities), `aggregatedActorCount` and `aggregatedActors` (`{id, name, avatar}`, who did it last first, up to 10) in its `metadata`. One that is alone is as it is. `aggregatedMore: true` says of a very large group that the counts are those of its newest part.';

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
