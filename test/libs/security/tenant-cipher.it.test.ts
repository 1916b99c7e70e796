import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createApiKey,
  destroyTenantKeys,
  ensureTenant,
  findTenant,
  listApiKeys,
  listTenants,
  revokeApiKey,
  rotateTenantKey,
} from '../../../libs/security/tenants.store.js';
import { createTenantCipher, keyIdOf } from '../../../libs/security/tenant-cipher.js';
import { parseApiKey, secretMatches } from '../../../libs/security/api-key.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

let jobs: TenantJobs;
beforeAll(async () => {
  jobs = await createTenantJobs();
});
afterAll(() => jobs.close());

async function setup(): Promise<{ tenantId: string; plain: Buffer; aad: string }> {
  const tenantId = await ensureTenant(jobs.owner, `t-${randomBytes(4).toString('hex')}`, jobs.masterKey);
  return { tenantId, plain: randomBytes(300), aad: `${tenantId}/job-1/input` };
}

describe.each(['app', 'worker', 'relay'] as const)('the cipher of the role %s', (role) => {
  it('opens what it sealed', async () => {
    const { tenantId, plain, aad } = await setup();
    const cipher = createTenantCipher(jobs[role], jobs.masterKey);
    const sealed = await cipher.encrypt(tenantId, plain, aad);
    expect(sealed.includes(plain.subarray(0, 16))).toBe(false);
    expect(await cipher.decrypt(tenantId, sealed, aad)).toEqual(plain);
  });
});

describe('sealed data', () => {
  it('is refused for another job, another tenant and after any bit was changed', async () => {
    const { tenantId, plain, aad } = await setup();
    const other = await setup();
    const sealed = await jobs.cipher.encrypt(tenantId, plain, aad);
    await expect(jobs.cipher.decrypt(tenantId, sealed, `${tenantId}/job-2/input`)).rejects.toMatchObject({
      code: 'sealed_invalid',
    });
    await expect(jobs.cipher.decrypt(other.tenantId, sealed, aad)).rejects.toMatchObject({
      code: 'tenant_key_unknown',
    });
    for (let at = 0; at < sealed.length; at += 7) {
      const altered = Buffer.from(sealed);
      altered[at] = (altered[at] ?? 0) ^ 1;
      await expect(jobs.cipher.decrypt(tenantId, altered, aad)).rejects.toMatchObject({
        code: expect.stringMatching(/^(sealed_invalid|tenant_key_unknown)$/) as string,
      });
    }
    await expect(jobs.cipher.decrypt(tenantId, sealed.subarray(0, 20), aad)).rejects.toMatchObject({
      code: 'sealed_invalid',
    });
  });

  it('never has the same bytes twice, while digests do', async () => {
    const { tenantId, plain, aad } = await setup();
    const other = await setup();
    const twice = await Promise.all([1, 2].map(() => jobs.cipher.encrypt(tenantId, plain, aad)));
    expect(twice[0]).not.toEqual(twice[1]);
    expect(await jobs.cipher.digest(tenantId, 'a')).toEqual(await jobs.cipher.digest(tenantId, 'a'));
    expect(await jobs.cipher.digest(tenantId, 'a')).not.toEqual(await jobs.cipher.digest(tenantId, 'b'));
    expect(await jobs.cipher.digest(tenantId, 'a')).not.toEqual(
      await jobs.cipher.digest(other.tenantId, 'a'),
    );
  });

  it('stays readable, and digests stay the same, when the tenant gets a new key', async () => {
    const { tenantId, plain, aad } = await setup();
    const reader = createTenantCipher(jobs.worker, jobs.masterKey);
    const before = await jobs.cipher.encrypt(tenantId, plain, aad);
    const digest = await jobs.cipher.digest(tenantId, 'same');
    await reader.decrypt(tenantId, before, aad);
    const keyId = await rotateTenantKey(jobs.owner, tenantId, jobs.masterKey);
    jobs.cipher.forget(tenantId);
    const after = await jobs.cipher.encrypt(tenantId, plain, aad);
    expect(keyIdOf(after)).toBe(keyId);
    expect(keyIdOf(before)).not.toBe(keyId);
    // The reader still holds the ring without the new key, and reads it again for this.
    expect(await reader.decrypt(tenantId, after, aad)).toEqual(plain);
    expect(await jobs.cipher.decrypt(tenantId, before, aad)).toEqual(plain);
    expect(await jobs.cipher.digest(tenantId, 'same')).toEqual(digest);
  });

  it('is gone once the key is destroyed, and says so', async () => {
    const { tenantId, plain, aad } = await setup();
    const sealed = await jobs.cipher.encrypt(tenantId, plain, aad);
    const shortLived = createTenantCipher(jobs.app, jobs.masterKey, { ttlMs: 0 });
    expect(await shortLived.decrypt(tenantId, sealed, aad)).toEqual(plain);
    expect(await destroyTenantKeys(jobs.owner, tenantId)).toBe(1);
    const destroyed = { code: 'tenant_key_destroyed' };
    await expect(shortLived.decrypt(tenantId, sealed, aad)).rejects.toMatchObject(destroyed);
    await expect(shortLived.encrypt(tenantId, plain, aad)).rejects.toMatchObject(destroyed);
    await expect(shortLived.digest(tenantId, 'a')).rejects.toMatchObject(destroyed);
    // Seeding the tenant again does not bring it back to life.
    const name = (await listTenants(jobs.owner)).find((tenant) => tenant.id === tenantId)?.name ?? '';
    expect(await ensureTenant(jobs.owner, name, jobs.masterKey)).toBe(tenantId);
    await expect(shortLived.encrypt(tenantId, plain, aad)).rejects.toMatchObject(destroyed);
  });

  it('needs the master key that wrapped its key', async () => {
    const { tenantId, plain, aad } = await setup();
    const sealed = await jobs.cipher.encrypt(tenantId, plain, aad);
    const stranger = createTenantCipher(jobs.app, randomBytes(32));
    await expect(stranger.decrypt(tenantId, sealed, aad)).rejects.toMatchObject({
      code: 'master_key_mismatch',
    });
  });

  it('is opened with bounded memory: the least recently used tenant is read again', async () => {
    const [a, b] = [await setup(), await setup()];
    const small = createTenantCipher(jobs.app, jobs.masterKey, { tenantsMax: 1 });
    const sealed = await small.encrypt(a.tenantId, a.plain, a.aad);
    await small.encrypt(b.tenantId, b.plain, b.aad);
    await destroyTenantKeys(jobs.owner, a.tenantId);
    await expect(small.decrypt(a.tenantId, sealed, a.aad)).rejects.toMatchObject({
      code: 'tenant_key_destroyed',
    });
  });
});

describe('tenants and keys', () => {
  it('are made once, also by racing callers', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map(() => ensureTenant(jobs.owner, 'raced', jobs.masterKey)));
    expect(new Set(ids).size).toBe(1);
    const { rows } = await jobs.owner.query(`select 1 from longhaul.tenant_keys where tenant_id = $1`, [
      ids[0],
    ]);
    expect(rows).toHaveLength(1);
    expect((await findTenant(jobs.owner, 'raced'))?.id).toBe(ids[0]);
  });

  it('are not made under another master key than the rest: nobody could read them', async () => {
    await setup();
    await expect(ensureTenant(jobs.owner, 'foreign', randomBytes(32))).rejects.toMatchObject({
      code: 'master_key_mismatch',
    });
    expect(await findTenant(jobs.owner, 'foreign')).toBeUndefined();
    await expect(ensureTenant(jobs.owner, 'raced', randomBytes(32))).rejects.toMatchObject({
      code: 'master_key_mismatch',
    });
  });

  it('authenticate with the secret, of which only a hash is stored, until revoked', async () => {
    const { tenantId } = await setup();
    const text = await createApiKey(jobs.owner, { tenantId, role: 'client', name: 'ci', env: 'test' });
    const { id, secret } = parseApiKey(text) ?? { id: '', secret: '' };
    const authenticate = async (): Promise<Buffer | undefined> =>
      (await jobs.app.query<{ secret_sha256: Buffer }>(`select * from longhaul.authenticate($1)`, [id]))
        .rows[0]?.secret_sha256;
    const stored = await authenticate();
    expect(stored && secretMatches(secret, stored)).toBe(true);
    expect(stored && secretMatches(`${secret.slice(0, -2)}AA`, stored)).toBe(false);
    expect(await listApiKeys(jobs.owner, tenantId)).toMatchObject([
      { id, role: 'client', name: 'ci', revokedAt: null },
    ]);
    expect(await revokeApiKey(jobs.owner, id)).toBe(true);
    expect(await revokeApiKey(jobs.owner, id)).toBe(false);
    expect(await authenticate()).toBeUndefined();
  });

  it('are refused where role and tenant do not fit', async () => {
    const { tenantId } = await setup();
    const key = { name: 'x', env: 'test' };
    await expect(createApiKey(jobs.owner, { ...key, tenantId: null, role: 'client' })).rejects.toThrow(
      TypeError,
    );
    await expect(createApiKey(jobs.owner, { ...key, tenantId, role: 'operator' })).rejects.toThrow(TypeError);
  });
});

describe('row-level security', () => {
  it('shows app and worker no key without a tenant, and the relay no secret column of a job', async () => {
    await setup();
    for (const role of [jobs.app, jobs.worker]) {
      expect((await role.query(`select 1 from longhaul.tenant_keys`)).rows).toEqual([]);
    }
    const [jobId] = await jobs.accept('test.job');
    expect(
      (await jobs.relay.query(`select id, kind from longhaul.jobs where id = $1`, [jobId])).rows,
    ).toHaveLength(1);
    for (const column of ['input', 'input_digest', 'result', 'view']) {
      await expect(jobs.relay.query(`select ${column} from longhaul.jobs`)).rejects.toMatchObject({
        code: '42501',
      });
    }
    await expect(jobs.relay.query(`delete from longhaul.jobs`)).rejects.toMatchObject({ code: '42501' });
    await expect(jobs.relay.query(`select 1 from longhaul.api_keys`)).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('answers whose a job is to every role, and nothing more', async () => {
    const [jobId] = await jobs.accept('test.job');
    for (const role of [jobs.app, jobs.worker, jobs.relay]) {
      const { rows } = await role.query(`select longhaul.tenant_of_job($1) as tenant`, [jobId]);
      expect(rows).toEqual([{ tenant: jobs.tenantId }]);
    }
    expect((await jobs.app.query(`select 1 from longhaul.jobs where id = $1`, [jobId])).rows).toEqual([]);
  });
});
