import { queryOf, validate } from '@tideline/shared/http/validate';
import { z } from 'zod';

const limitSchema = z
  .string()
  .regex(/^[1-9]\d{0,1}$/, 'must be a whole number from 1 to 50')
  .transform(Number)
  .refine((limit) => limit <= 50, 'must be a whole number from 1 to 50')
  .default(20);

const pageSchema = z.strictObject({ limit: limitSchema, cursor: z.string().max(128).optional() });

const homeSchema = pageSchema.extend({ strategy: z.enum(['hybrid', 'push', 'pull']).default('hybrid') });

/** `limit` and `cursor`. Throws `invalid_request`. */
export function pageQuery(url: string) {
  const { limit, cursor } = validate(pageSchema, queryOf(url), 'query');
  return { limit, cursor };
}

/** `limit`, `cursor` and `strategy`. Throws `invalid_request`. */
export function homeQuery(url: string) {
  const { limit, cursor, strategy } = validate(homeSchema, queryOf(url), 'query');
  return { limit, cursor, strategy };
}

/** Throws `invalid_request` for any parameter. */
export function noQuery(url: string): void {
  validate(z.strictObject({}), queryOf(url), 'query');
}
