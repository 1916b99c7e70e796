/** `longhaul api`: the HTTP API as a process. */
import { readSettings } from '../../libs/config/settings.js';
import { serveMetrics } from '../../libs/telemetry/metrics.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { createApi } from './create-api.js';

const SHUTDOWN_GRACE_MS = 10_000;

/** Runs until the process is asked to end. Throws when the settings are wrong or a port is taken. */
export async function run(): Promise<void> {
  const settings = readSettings();
  const api = await createApi(settings);
  const metrics = await serveMetrics(settings.metricsPort, settings.host);
  onShutdown(async () => {
    await api.close();
    await metrics.close();
  }, SHUTDOWN_GRACE_MS);
  announceReady({ role: 'api', url: api.url, metricsUrl: metrics.url });
  api.resources.log.info({ url: api.url, metricsUrl: metrics.url }, 'the API is ready');
}
