/** A mail server that delivers nothing: for development, demonstrations and tests. */
import { createLogger } from '../../libs/telemetry/logger.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { startMailbox } from './mailbox.server.js';

const SHUTDOWN_GRACE_MS = 5_000;

/** Runs the mailbox until the process is asked to end. */
export async function run(options: { smtpPort: number; port: number; host: string }): Promise<void> {
  const logger = createLogger('sandbox-mailbox', process.env.LOG_LEVEL ?? 'info');
  const mailbox = await startMailbox({
    ...options,
    onError: (error) => logger.error({ err: error }, 'A request failed'),
  });
  onShutdown(async (reason) => {
    logger.info({ reason }, 'Ending');
    await mailbox.close();
  }, SHUTDOWN_GRACE_MS);
  const { url, smtpUrl } = mailbox;
  logger.info({ url, smtpUrl }, 'Ready');
  announceReady({ role: 'sandbox-mailbox', url });
}
