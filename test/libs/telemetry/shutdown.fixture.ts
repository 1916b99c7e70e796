/** A process for shutdown.test.ts: shuts down as its first argument says. */
import { onShutdown } from '../../../libs/telemetry/shutdown.js';

const GRACE_MS = 200;
const mode = process.argv[2];
const open = setInterval(() => undefined, 1_000);

onShutdown(async (reason) => {
  if (mode === 'failing') throw new Error('cannot');
  if (mode === 'hanging') await new Promise(() => undefined);
  process.stdout.write(`${reason}\n`);
  clearInterval(open);
}, GRACE_MS);
process.send?.('started');
