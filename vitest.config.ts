import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.sequencer.js';

/** Two projects: `unit` needs nothing but Node; `integration` brings real servers (test/support/global-setup.ts). */
export default defineConfig({
  plugins: [swc.vite()],
  test: {
    // Both projects share them: where one waits for a server, the other computes.
    maxWorkers: 2,
    // A file's modules are those of the file before: none keeps what another test could see, and loading them costs more
    // than many a file's tests.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.it.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.it.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
