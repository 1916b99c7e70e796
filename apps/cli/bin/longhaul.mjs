#!/usr/bin/env node
// The way in. Plain JavaScript, so that an old Node gets as far as here and hands over to the one the project brings.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as moduleApi from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_WANTED = 24;
const NODE_MIN = [22, 12];
const HANDED_OVER = 'LONGHAUL_NODE_HANDED_OVER';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const program = join(root, 'dist', 'apps', 'cli', 'main.js');
const [major, minor] = process.versions.node.split('.').map(Number);

if (!existsSync(program)) {
  console.error(`Longhaul is not built yet (${program} is missing): run \`npm run build\` in ${root}.`);
  process.exit(1);
}
const projectNode = findProjectNode();
if (major < NODE_WANTED && projectNode && !process.env[HANDED_OVER]) {
  handOver(projectNode);
} else if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  console.error(
    `This is Node ${process.versions.node}; Longhaul needs ${NODE_MIN.join('.')} or later. ` +
      'npm brings it along where the package node-* exists for the platform: run `npm ci` without `--omit=optional`.',
  );
  process.exit(1);
} else {
  moduleApi.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  await import(pathToFileURL(program).href);
}

function findProjectNode() {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(manifest), 'bin', 'node');
    return existsSync(node) ? node : undefined;
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Runs ourselves with the other Node and ends as it ends; by the IPC channel it notices when we are killed. */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [HANDED_OVER]: '1' },
  });
  // Ctrl-C reaches the child by itself, as a member of the terminal's foreground group; a kill of us alone does not.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    console.error(`${node} does not start: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}
