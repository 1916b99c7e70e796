/** A few tenants, each with a client of its own. */
import pg from 'pg';
import type { Client } from '../../libs/client/client.js';
import { masterKeyOf } from '../../libs/embedded/process-environment.js';
import { createApiKey, ensureTenant } from '../../libs/security/tenants.store.js';
import type { StackUnderChaos } from './stack.js';
import { stubbornClient } from './submitting.js';

export const TENANTS: readonly string[] = ['chaos-a', 'chaos-b', 'chaos-c'];

/** Makes the tenants and a key for each; answers their clients by name. */
export async function openTenants({ home, run, env }: StackUnderChaos): Promise<ReadonlyMap<string, Client>> {
  const owner = new pg.Pool({
    connectionString: run.databaseUrl,
    max: 1,
    application_name: 'longhaul-chaos',
  });
  owner.on('error', () => undefined); // an idle connection broke; the next query opens another or throws
  try {
    const masterKey = Buffer.from(masterKeyOf(home, env), 'base64');
    const clients = new Map<string, Client>();
    for (const name of TENANTS) {
      const tenantId = await ensureTenant(owner, name, masterKey);
      const key = await createApiKey(owner, { tenantId, role: 'client', name: 'chaos', env: 'local' });
      clients.set(name, stubbornClient(run.api, key));
    }
    return clients;
  } finally {
    await owner.end();
  }
}
