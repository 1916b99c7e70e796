import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { register } from '../../../apps/cli/commands/emails.command.js';
import { json } from '../../libs/client/faulty-api.js';
import { commandLine } from './command-line.js';

const cli = commandLine([register]);
const emails = (...args: string[]): Promise<void> => cli.run('emails', ...args);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-emails-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

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
    cli.api.on('POST /recipient-lists', json(201, { ...list, badRows: [{ line: 3, detail: 'no @' }] }));
    await emails('upload', file, '--skip-bad-rows');
    expect(cli.api.seen[0]!.url).toBe('/recipient-lists?name=friends.csv&onBadRows=skip');
    expect(cli.api.seen[0]!.body).toBe(csv);
    expect(cli.api.seen[0]!.headers['content-type']).toBe('text/csv');
    expect(cli.out).toContain('line 3: no @');
    expect(cli.out).toContain('list-1  1 recipients, 0 duplicates, 1 left out');

    cli.api.on('POST /recipient-lists', (_, response) => response.destroy());
    await emails('upload', file, '--name', 'cut');
    expect(process.exitCode).toBe(1);
    expect(cli.api.seen.filter(({ url }) => url.endsWith('name=cut'))).toHaveLength(1);
  });

  it('writes a template from a file', async () => {
    const template = { subject: 'Hello', text: 'Hello' };
    cli.api.on('PUT /email-templates/hello', json(201, { ...template, name: 'hello', version: 2 }));
    await emails('template', 'hello', fileOf('hello.json', JSON.stringify(template)));
    expect(JSON.parse(cli.api.seen[0]!.body)).toEqual(template);
    expect(cli.out).toContain('hello, version 2');
  });

  it('lists messages with their last reply, without what would colour the terminal', async () => {
    const message = { place: 2, to: 'a…@example.com', status: 'refused', attempts: 1 };
    const items = [{ ...message, reason: 'smtp_550', reply: '550 no such\u001b[31m user' }];
    cli.api.on('GET /jobs/job-1/messages', json(200, { items }));
    await emails('messages', 'job-1', '--status', 'refused');
    expect(cli.api.seen[0]!.url).toBe('/jobs/job-1/messages?status=refused&limit=20');
    expect(cli.out).toMatch(/2 +a…@example\.com +refused +1 +smtp_550: 550 no such.* user/);
    expect(cli.out).not.toContain('\u001b');
  });
});
