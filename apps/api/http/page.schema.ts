/** What is asked of a list that comes in pages. */
import { z } from 'zod';
import { Text } from './values.schema.js';

const CURSOR_LENGTH_MAX = 100;
export const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;

export const PageQuery = z.strictObject({
  cursor: Text.max(CURSOR_LENGTH_MAX).optional().describe('From the Link header of the page before.'),
  limit: z
    .string()
    .refine((text) => /^\d{1,4}$/.test(text), `expected a whole number from 1 to ${LIMIT_MAX}`)
    .meta({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT })
    .transform(Number)
    .pipe(z.int().min(1).max(LIMIT_MAX))
    .optional(),
});
export type PageParameters = z.output<typeof PageQuery>;
