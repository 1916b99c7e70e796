/** For commands that act as the login that owns the schema. */
import pg from 'pg';
import { completeEnvironment } from '../../libs/embedded/process-environment.js';
import { findTenant, type OwnerPool } from '../../libs/security/tenants.store.js';
import { CommandError } from './command.error.js';

/** The tenant of this name; refuses one that is not there. */
export async function tenantIdOf(owner: OwnerPool, name: string): Promise<string> {
  const tenant = await findTenant(owner, name);
  if (!tenant) throw new CommandError(`There is no tenant "${name}" (keys create --new-tenant makes one).`);
  return tenant.id;
}

/** Runs `work` with a connection to DATABASE_URL, or to the running stack's database. */
export async function withOwner(work: (owner: OwnerPool) => Promise<void>): Promise<void> {
  completeEnvironment(process.env);
  const url = process.env.DATABASE_URL;
  if (!url) throw new CommandError('Which database? Set DATABASE_URL to the login that owns the schema.');
  const owner = new pg.Pool({ connectionString: url, max: 1, application_name: 'longhaul-owner' });
  owner.on('error', () => undefined); // an idle connection broke; the next query opens another or throws
  try {
    await work(owner);
  } finally {
    await owner.end();
  }
}
