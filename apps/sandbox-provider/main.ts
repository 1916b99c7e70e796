/** A payment provider that is somebody else's: for development, demonstrations and chaos runs. It moves no real money. */
import { createLogger } from '../../libs/telemetry/logger.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { startProvider } from './provider.server.js';

const SHUTDOWN_GRACE_MS = 5_000;
/** Guards nothing: there is no real money behind it. */
const KEY_DEFAULT = 'sandbox';

/** Runs the provider until the process is asked to end. `PAYMENT_PROVIDER_KEY` is the key callers must show. */
export async function run({ port, host, data }: { port: number; host: string; data: string }): Promise<void> {
  const logger = createLogger('sandbox-provider', process.env.LOG_LEVEL ?? 'info');
  const provider = await startProvider({
    port,
    host,
    data,
    key: process.env.PAYMENT_PROVIDER_KEY || KEY_DEFAULT,
    onError: (error) => logger.error({ err: error }, 'A request failed'),
  });
  onShutdown(async (reason) => {
    logger.info({ reason }, 'Ending');
    await provider.close();
  }, SHUTDOWN_GRACE_MS);
  logger.info({ url: provider.url, data }, 'Ready');
  announceReady({ role: 'sandbox-provider', url: provider.url });
}
