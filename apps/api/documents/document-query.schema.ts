/** Which version of a document is asked for. */
import { z } from 'zod';

const VERSION_MAX = 2_147_483_647;

export const DocumentQuery = z.strictObject({
  version: z
    .string()
    .refine((text) => /^\d{1,10}$/.test(text), 'expected a whole number from 1')
    .meta({ type: 'integer', minimum: 1, maximum: VERSION_MAX })
    .transform(Number)
    .pipe(z.int().min(1).max(VERSION_MAX))
    .optional()
    .describe('The newest that was made, without it.'),
});
export type DocumentParameters = z.output<typeof DocumentQuery>;
