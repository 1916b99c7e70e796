/** Values that many requests and answers have. */
import { z } from 'zod';

/** Text that PostgreSQL can hold: query strings do not pass the body's inspection. */
export const Text = z
  .string()
  .refine(
    (text) => !text.includes('\0') && text.isWellFormed(),
    'has a NUL character or half of a surrogate pair',
  );

/** RFC 3339, in UTC. */
export const Time = z.iso.datetime({ offset: false });
