import { describe, expect, it } from 'vitest';
import { register } from '../../../apps/cli/commands/webhooks.command.js';
import type { WebhookDelivery, WebhookEndpoint } from '../../../libs/client/webhook.types.js';
import { json } from '../../libs/client/faulty-api.js';
import { commandLine } from './command-line.js';

const cli = commandLine([register]);
const webhooks = (...args: string[]): Promise<void> => cli.run('webhooks', ...args);

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
    cli.api.on('POST /webhook-endpoints', json(201, { ...ENDPOINT, secret: 'whsec_x' }));
    await webhooks('add', ENDPOINT.url, '--types', 'invoice.*', '--rate', '5');
    expect(JSON.parse(cli.api.seen[0]!.body)).toEqual({
      url: ENDPOINT.url,
      eventTypes: ['invoice.*'],
      ratePerSecond: 5,
    });
    expect(cli.out).toContain('secret, shown only now: whsec_x');

    cli.api.on('POST /webhook-endpoints/endpoint-1/rotate-secret', (_, response) => response.destroy());
    await webhooks('rotate', 'endpoint-1');
    expect(process.exitCode).toBe(1);
    expect(cli.api.seen.filter(({ url }) => url.endsWith('/rotate-secret'))).toHaveLength(1);
  });

  it('lists endpoints with how they are, and deliveries with their last answer', async () => {
    cli.api.on('GET /webhook-endpoints', json(200, { items: [ENDPOINT] }));
    await webhooks('list');
    expect(cli.out).toMatch(/endpoint-1 +disabled: gone +invoice\.\* +https:\/\/example\.com\/hooks/);
    cli.api.on('GET /webhook-endpoints/endpoint-1/deliveries', json(200, { items: [DELIVERY] }));
    await webhooks('deliveries', '--endpoint', 'endpoint-1', '--status', 'dead');
    expect(cli.out).toMatch(/job-1 +endpoint-1 +dead +1 +.* 400 http_400 no such hook/);
    expect(cli.api.seen.at(-1)!.url).toContain('status=dead');
  });

  it('changes, removes, tests and sends again', async () => {
    cli.api.on('PATCH /webhook-endpoints/endpoint-1', json(200, { ...ENDPOINT, status: 'enabled' }));
    cli.api.on('DELETE /webhook-endpoints/endpoint-1', (_, response) => response.writeHead(204).end());
    cli.api.on('POST /webhook-endpoints/endpoint-1/test', json(202, { id: 'job-2' }));
    cli.api.on('POST /webhook-endpoints/endpoint-1/resend', json(202, { id: 'job-3' }));
    await webhooks('enable', 'endpoint-1');
    await webhooks('test', 'endpoint-1');
    await webhooks('resend', 'endpoint-1', '--since', '2026-01-01T00:00:00Z');
    cli.api.on('POST /jobs/job-4/callback/resend', json(202, { id: 'job-5' }));
    await webhooks('resend-callback', 'job-4');
    await webhooks('remove', 'endpoint-1');
    expect(cli.out).toMatch(/is enabled[^]*job job-2[^]*job job-3[^]*job job-5[^]*deleted/);
    expect(JSON.parse(cli.api.seen[2]!.body)).toEqual({ since: '2026-01-01T00:00:00Z' });
  });

  it('asks what is meant where it is not said', async () => {
    await webhooks('deliveries');
    await webhooks('resend', 'endpoint-1');
    expect(cli.err).toMatch(/--endpoint ID or --job ID[^]*--event JOB or --since TIME/);
    expect(cli.api.seen).toHaveLength(0);
  });
});
