/** What only the tenant's rows can say of an input: asked once it is right in itself. */
import { everUploaded } from '../../../libs/uploads/uploads.store.js';
import { inTenant, type Database } from '../../../libs/store/database.js';
import { Problem, type FieldError } from '../problems/problem.js';
import type { Prepared } from './submission.js';

type Tx = Parameters<Parameters<typeof inTenant>[2]>[0];

/**
 * By kind. They refuse what never was the tenant's, not what is gone since: a repeated submission is answered as the
 * first was.
 */
const checks: Readonly<Record<string, (tx: Tx, input: never) => Promise<FieldError[]>>> = {
  'image.renditions': async (tx, { sources }: { readonly sources: readonly string[] }) => {
    const known = await everUploaded(tx, sources);
    return sources.flatMap((id, index) =>
      known.has(id)
        ? []
        : [
            {
              pointer: `/input/sources/${index}`,
              detail: 'there is no such upload; POST /uploads makes one',
            },
          ],
    );
  },
};

/** Throws Problem `validation_failed` where the input names what the tenant does not have. */
export async function refuseUnknownReferences(
  database: Database,
  tenantId: string,
  prepared: Prepared,
): Promise<void> {
  const check = checks[prepared.definition.kind];
  const errors = check ? await inTenant(database, tenantId, (tx) => check(tx, prepared.input as never)) : [];
  if (errors.length === 0) return;
  throw new Problem('validation_failed', 'The input names what you do not have.', { errors });
}
