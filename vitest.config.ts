import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/** Two projects: `unit` needs nothing but Node; `integration` brings real servers (test/support/global-setup.ts). */
export default defineConfig({
  plugins: [swc.vite()],
  test: {
    // Both projects share them: where one waits for a server, the other computes.
    maxWorkers: 2,
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
