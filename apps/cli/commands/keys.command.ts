/** `longhaul keys list|create|revoke`: API keys, with the login that owns the schema. */
import type { Command } from 'commander';
import type { ApiKeyRole } from '../../../libs/security/api-key.js';
import {
  createApiKey,
  ensureTenant,
  listApiKeys,
  revokeApiKey,
} from '../../../libs/security/tenants.store.js';
import { action, CommandError } from '../command.error.js';
import { renderTable } from '../jobs-table.view.js';
import { tenantIdOf, withOwner } from '../owner.store.js';
import { openTerminal } from '../terminal.js';

interface CreateFlags {
  readonly tenant?: string;
  readonly newTenant?: true;
  readonly name: string;
}

const ROLES: readonly string[] = ['client', 'operator', 'admin'] satisfies ApiKeyRole[];
const ENV_DEFAULT = 'local';
/** As the table checks it. */
const TENANT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MASTER_KEY_BYTES = 32;

export function register(program: Command): void {
  const keys = program.command('keys').description('API keys (DATABASE_URL: the owner’s login)');
  keys
    .command('list')
    .description('list keys; their secrets are known to nobody but their owners')
    .option('--tenant <name>', 'only of this tenant')
    .action(action(list));
  keys
    .command('create')
    .description('make a key and print it, once')
    .argument('<role>', ROLES.join(', '))
    .requiredOption('--name <name>', 'what it is for')
    .option('--tenant <name>', "a client's tenant")
    .option('--new-tenant', 'make the tenant if it is not there')
    .action(action(create));
  keys
    .command('revoke')
    .description('revoke a key, by its id (the part after lh_<env>_)')
    .argument('<id>')
    .action(action(revoke));
}

async function list(flags: { tenant?: string }): Promise<void> {
  await withOwner(async (owner) => {
    const tenantId = flags.tenant === undefined ? undefined : await tenantIdOf(owner, flags.tenant);
    const found = await listApiKeys(owner, tenantId);
    const rows = found.map((key) => [
      key.id,
      key.role,
      key.tenantName ?? '-',
      key.name,
      key.createdAt.toISOString(),
      key.revokedAt ? `revoked ${key.revokedAt.toISOString()}` : '',
    ]);
    const terminal = openTerminal();
    for (const line of renderTable([['ID', 'ROLE', 'TENANT', 'NAME', 'CREATED', ''], ...rows]))
      terminal.print(line);
  });
}

async function create(role: string, flags: CreateFlags): Promise<void> {
  if (!ROLES.includes(role)) throw new CommandError(`"${role}" is no role; expected ${ROLES.join(', ')}.`);
  if ((role === 'client') !== (flags.tenant !== undefined)) {
    throw new CommandError(
      role === 'client'
        ? "A client's key needs --tenant."
        : `An ${role}'s key is the platform's: it has no tenant.`,
    );
  }
  if (flags.newTenant && flags.tenant !== undefined && !TENANT_NAME.test(flags.tenant)) {
    throw new CommandError(
      `"${flags.tenant}" is no name for a tenant: 1 to 63 of a-z, 0-9 and "-", not "-" first.`,
    );
  }
  await withOwner(async (owner) => {
    const tenantId =
      flags.tenant === undefined
        ? null
        : flags.newTenant
          ? await ensureTenant(owner, flags.tenant, masterKey())
          : await tenantIdOf(owner, flags.tenant);
    const env = process.env.LONGHAUL_ENV || ENV_DEFAULT;
    const text = await createApiKey(owner, { tenantId, role: role as ApiKeyRole, name: flags.name, env });
    openTerminal().print(text);
  });
}

async function revoke(id: string): Promise<void> {
  await withOwner(async (owner) => {
    if (!(await revokeApiKey(owner, id))) throw new CommandError(`No valid key has the id "${id}".`);
    openTerminal().print(`revoked ${id}`);
  });
}

function masterKey(): Buffer {
  const text = process.env.LONGHAUL_MASTER_KEY;
  if (!text) throw new CommandError('A new tenant needs a data key: set LONGHAUL_MASTER_KEY.');
  const key = Buffer.from(text, 'base64');
  if (key.length !== MASTER_KEY_BYTES) {
    throw new CommandError('LONGHAUL_MASTER_KEY must be 32 bytes in base64 (openssl rand -base64 32).');
  }
  return key;
}
