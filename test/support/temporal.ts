/** A namespace of its own for each test file that asks, on the run's one Temporal development server. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

export interface TestTemporal {
  readonly address: string;
  readonly namespace: string;
}

/** Takes the next free namespace; task queues of other test files are out of its reach. */
export function testTemporal(): TestTemporal {
  const { address, namespaces, claimsDir } = inject('temporal');
  for (const namespace of namespaces) {
    try {
      mkdirSync(join(claimsDir, namespace)); // creating a folder is the claim: one process wins
      return { address, namespace };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  throw new Error(
    `All ${namespaces.length} test namespaces are taken; raise NAMESPACES in test/support/global-setup.ts`,
  );
}

/** Where the binaries are, for tests that start servers of their own. */
export function temporalBinaries(): { cli: string; testServer: string } {
  return inject('temporalBinaries');
}
