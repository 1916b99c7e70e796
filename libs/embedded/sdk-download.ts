/**
 * A program of its own: lets the Temporal SDK download a server. The SDK downloads only to start, so the server is
 * started and stopped once; in a process of its own, because the SDK's runtime is one for a whole process.
 * Arguments: `dev-server` or `time-skipping`, the folder, the version (as in `v1.9.1`).
 */
import { Runtime } from '@temporalio/worker';

const [type, downloadDir, version] = process.argv.slice(2);
if ((type !== 'dev-server' && type !== 'time-skipping') || !downloadDir || !version) {
  throw new Error('usage: sdk-download dev-server|time-skipping FOLDER VERSION');
}
const exe = {
  type: 'cached-download' as const,
  downloadDir,
  version,
  ttl: 24 * 60 * 60 * 1000,
  sdkName: 'sdk-typescript',
  sdkVersion: '1.24.0',
};
const runtime = Runtime.instance();
const server = await runtime.createEphemeralServer(
  type === 'time-skipping'
    ? { type, exe, port: null, extraArgs: [] }
    : {
        type,
        exe,
        namespace: 'default',
        ip: '127.0.0.1',
        port: null,
        uiPort: null,
        dbFilename: null,
        ui: false,
        log: { format: 'pretty', level: 'error' },
        extraArgs: [],
      },
);
await runtime.shutdownEphemeralServer(server);
