/** A file in the artifact store, as the steps that publish one answer it. */
import { z } from 'zod';
import { Count, Sha256 } from '../libs/saga/values.js';

export const PublishedFile = z.strictObject({ location: z.string(), bytes: Count, sha256: Sha256 });
