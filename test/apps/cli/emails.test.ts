import { Command } from 'commander';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { register } from '../../../apps/cli/commands/emails.command.js';
import { json, openFaultyApi, type FaultyApi } from '../../libs/client/faulty-api.js';

let api: FaultyApi;
let folder: string;
let out: string;

beforeEach(async () => {
  api = await openFaultyApi();
  folder = mkdtempSync(join(tmpdir(), 'longhaul-emails-'));
  out = '';
  vi.stubEnv('LONGHAUL_URL', api.url);
  vi.stubEnv('LONGHAUL_KEY', 'client-key');
  vi.stubEnv('NO_COLOR', '1');
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
  await api.close();
});

async function emails(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  register(program);
  await program.parseAsync(['emails', ...args], { from: 'user' });
}

function fileOf(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('longhaul emails', () => {
  it('uploads a file as it is, tells the rows that were left out, and does not repeat a call whose answer was lost', async () => {
    const csv = 'address\nada@example.com\nnobody\n';
    const file = fileOf('friends.csv', csv);
    const list = { id: 'list-1', recipients: 1, duplicates: 0, invalid: 1 };
    api.on('POST /recipient-lists', json(201, { ...list, badRows: [{ line: 3, detail: 'no @' }] }));
    await emails('upload', file, '--skip-bad-rows');
    expect(api.seen[0]!.url).toBe('/recipient-lists?name=friends.csv&onBadRows=skip');
    expect(api.seen[0]!.body).toBe(csv);
    expect(api.seen[0]!.headers['content-type']).toBe('text/csv');
    expect(out).toContain('line 3: no @');
    expect(out).toContain('list-1  1 recipients, 0 duplicates, 1 left out');

    api.on('POST /recipient-lists', (_, response) => response.destroy());
    await emails('upload', file, '--name', 'cut');
    expect(process.exitCode).toBe(1);
    expect(api.seen.filter(({ url }) => url.endsWith('name=cut'))).toHaveLength(1);
  });

  it('writes a template from a file', async () => {
    const template = { subject: 'Hello', text: 'Hello' };
    api.on('PUT /email-templates/hello', json(201, { ...template, name: 'hello', version: 2 }));
    await emails('template', 'hello', fileOf('hello.json', JSON.stringify(template)));
    expect(JSON.parse(api.seen[0]!.body)).toEqual(template);
    expect(out).toContain('hello, version 2');
  });

  it('lists messages with their last reply, without what would colour the terminal', async () => {
    const message = { place: 2, to: 'a…@example.com', status: 'refused', attempts: 1 };
    const items = [{ ...message, reason: 'smtp_550', reply: '550 no such\u001b[31m user' }];
    api.on('GET /jobs/job-1/messages', json(200, { items }));
    await emails('messages', 'job-1', '--status', 'refused');
    expect(api.seen[0]!.url).toBe('/jobs/job-1/messages?status=refused&limit=20');
    expect(out).toMatch(/2 +a…@example\.com +refused +1 +smtp_550: 550 no such.* user/);
    expect(out).not.toContain('\u001b');
  });
});
