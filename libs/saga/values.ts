/** Values that many kinds have in their inputs and outputs. Pure: definitions, the engine and the API share them. */
import { z } from 'zod';

export const Count = z.int().nonnegative();

/** In lower-case hex. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
