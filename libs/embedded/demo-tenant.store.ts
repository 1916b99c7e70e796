/** The tenant `demo` and its keys, which stay the same over restarts. */
import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { parseApiKey, secretMatches, type ApiKeyRole } from '../security/api-key.js';
import { createApiKey, ensureTenant } from '../security/tenants.store.js';
import { writePrivateFile } from './private-file.js';

export type SeededKeys = Readonly<Record<ApiKeyRole, string>>;

const TENANT = 'demo';
const ROLES: readonly ApiKeyRole[] = ['client', 'operator', 'admin'];

/**
 * Makes the tenant and a key for each role where they are missing. The keys' texts are in `keysFile` (0600), because
 * the database keeps only their hashes; a key that the database does not know, or that was revoked, is made anew.
 */
export async function seedDemoTenant(
  ownerUrl: string,
  keysFile: string,
  options: { readonly masterKey: Uint8Array; readonly env: string },
): Promise<SeededKeys> {
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 1, application_name: 'longhaul-supervisor' });
  owner.on('error', () => undefined); // an idle connection broke; the next query opens another or throws
  try {
    const tenantId = await ensureTenant(owner, TENANT, options.masterKey);
    const kept = readKeys(keysFile);
    const keys: Partial<Record<ApiKeyRole, string>> = {};
    for (const role of ROLES) {
      const text = kept[role];
      const belongsTo = role === 'client' ? tenantId : null;
      const isGood = text !== undefined && (await isValid(owner, text, role, belongsTo));
      keys[role] = isGood
        ? text
        : await createApiKey(owner, {
            tenantId: belongsTo,
            role,
            name: `${TENANT}-${role}`,
            env: options.env,
          });
    }
    const all = keys as SeededKeys;
    if (ROLES.some((role) => all[role] !== kept[role]))
      writePrivateFile(keysFile, JSON.stringify(all, null, 2));
    return all;
  } finally {
    await owner.end();
  }
}

async function isValid(
  owner: pg.Pool,
  text: string,
  role: ApiKeyRole,
  tenantId: string | null,
): Promise<boolean> {
  const key = parseApiKey(text);
  if (!key) return false;
  const { rows } = await owner.query<{ tenant_id: string | null; role: string; secret_sha256: Buffer }>(
    'select tenant_id, role, secret_sha256 from longhaul.authenticate($1)',
    [key.id],
  );
  const [row] = rows;
  return (
    row !== undefined &&
    row.role === role &&
    row.tenant_id === tenantId &&
    secretMatches(key.secret, row.secret_sha256)
  );
}

function readKeys(file: string): Partial<SeededKeys> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<SeededKeys>) : {};
}
