import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { register } from '../../../apps/cli/commands/webhooks.command.js';
import type { WebhookDelivery, WebhookEndpoint } from '../../../libs/client/webhook.types.js';
import { json, openFaultyApi, type FaultyApi } from '../../libs/client/faulty-api.js';

let api: FaultyApi;
let out: string;

beforeEach(async () => {
  api = await openFaultyApi();
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
  await api.close();
});

async function webhooks(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  register(program);
  await program.parseAsync(['webhooks', ...args], { from: 'user' });
}

const ENDPOINT: WebhookEndpoint = {
  ...{ id: 'endpoint-1', url: 'https://example.com/hooks', eventTypes: ['invoice.*'], description: null },
  ...{ ratePerSecond: null, concurrency: 10, status: 'disabled', disabledReason: 'gone', disabledAt: null },
  ...{ failingSince: null, pausedUntil: null, createdAt: '', updatedAt: '' },
  links: { self: 'http://x', deliveries: 'http://x' },
};
const DELIVERY: WebhookDelivery = {
  ...{ jobId: 'job-1', endpointId: 'endpoint-1', status: 'dead', reason: 'http_400', attempts: 1 },
  ...{ nextAttemptAt: null, createdAt: new Date().toISOString(), finishedAt: null, carriedBy: 'job-1' },
  log: [{ at: '', durationMs: 3, status: 400, detail: 'no such\u001b[31m hook' }],
};

describe('longhaul webhooks', () => {
  it('registers an endpoint, shows its secret, and does not repeat a call whose answer was lost', async () => {
    api.on('POST /webhook-endpoints', json(201, { ...ENDPOINT, secret: 'whsec_x' }));
    await webhooks('add', ENDPOINT.url, '--types', 'invoice.*', '--rate', '5');
    expect(JSON.parse(api.seen[0]!.body)).toEqual({
      url: ENDPOINT.url,
      eventTypes: ['invoice.*'],
      ratePerSecond: 5,
    });
    expect(out).toContain('secret, shown only now: whsec_x');

    api.on('POST /webhook-endpoints/endpoint-1/rotate-secret', (_, response) => response.destroy());
    await webhooks('rotate', 'endpoint-1');
    expect(process.exitCode).toBe(1);
    expect(api.seen.filter(({ url }) => url.endsWith('/rotate-secret'))).toHaveLength(1);
  });

  it('lists endpoints with how they are, and deliveries with their last answer', async () => {
    api.on('GET /webhook-endpoints', json(200, { items: [ENDPOINT] }));
    await webhooks('list');
    expect(out).toMatch(/endpoint-1 +disabled: gone +invoice\.\* +https:\/\/example\.com\/hooks/);
    api.on('GET /webhook-endpoints/endpoint-1/deliveries', json(200, { items: [DELIVERY] }));
    await webhooks('deliveries', '--endpoint', 'endpoint-1', '--status', 'dead');
    expect(out).toMatch(/job-1 +endpoint-1 +dead +1 +.* 400 http_400 no such hook/);
    expect(api.seen.at(-1)!.url).toContain('status=dead');
  });

  it('changes, removes, tests and sends again', async () => {
    api.on('PATCH /webhook-endpoints/endpoint-1', json(200, { ...ENDPOINT, status: 'enabled' }));
    api.on('DELETE /webhook-endpoints/endpoint-1', (_, response) => response.writeHead(204).end());
    api.on('POST /webhook-endpoints/endpoint-1/test', json(202, { id: 'job-2' }));
    api.on('POST /webhook-endpoints/endpoint-1/resend', json(202, { id: 'job-3' }));
    await webhooks('enable', 'endpoint-1');
    await webhooks('test', 'endpoint-1');
    await webhooks('resend', 'endpoint-1', '--since', '2026-01-01T00:00:00Z');
    api.on('POST /jobs/job-4/callback/resend', json(202, { id: 'job-5' }));
    await webhooks('resend-callback', 'job-4');
    await webhooks('remove', 'endpoint-1');
    expect(out).toMatch(/is enabled[^]*job job-2[^]*job job-3[^]*job job-5[^]*deleted/);
    expect(JSON.parse(api.seen[2]!.body)).toEqual({ since: '2026-01-01T00:00:00Z' });
  });

  it('asks what is meant where it is not said', async () => {
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((out += String(text)), true));
    await webhooks('deliveries');
    await webhooks('resend', 'endpoint-1');
    expect(out).toMatch(/--endpoint ID or --job ID[^]*--event JOB or --since TIME/);
    expect(api.seen).toHaveLength(0);
  });
});
