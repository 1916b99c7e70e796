/** What side effects need of the world, opened once a worker process. */
import { openArtifactStore } from '../libs/artifacts/open-artifact-store.js';
import type { ArtifactStore } from '../libs/artifacts/artifact-store.js';
import type { Settings } from '../libs/config/settings.js';
import { loadDatasets, type Datasets } from '../libs/datasets/datasets.js';
import { openSources, type Sources } from '../libs/datasets/sources.js';
import type { Database } from '../libs/store/database.js';
import { createPaymentProvider, type PaymentProvider } from './payout/provider.client.js';

/** What exports need. */
export interface ExportResources {
  /** Longhaul's own database, open as `worker`. */
  readonly database: Database;
  readonly artifacts: ArtifactStore;
  readonly datasets: Datasets;
  readonly sources: Sources;
  /** Of an export: about how many. */
  readonly rowsPerPart: number;
}

/** What payouts need. */
export interface PayoutResources {
  /** Undefined where none is configured: payouts park. */
  readonly payments: PaymentProvider | undefined;
  /** A batch of more than this, in minor units, waits for a person's approval. */
  readonly payoutApprovalOverMinor: number;
}

export interface Resources extends ExportResources, PayoutResources {
  /** Closes what `openResources` opened; the database stays its owner's. */
  close(): Promise<void>;
}

/** Opens everything, and throws at boot what would otherwise fail a job: a wrong datasets' file, a source not set. */
export async function openResources(
  settings: Settings,
  options: { readonly database: Database; readonly env?: NodeJS.ProcessEnv },
): Promise<Resources> {
  const payments =
    settings.payments &&
    createPaymentProvider({ url: settings.payments.providerUrl, key: settings.payments.providerKey });
  const datasets = loadDatasets(settings.datasetsFile);
  const sources = openSources(datasets, options.env);
  return {
    database: options.database,
    artifacts: await openArtifactStore(settings),
    datasets,
    sources,
    rowsPerPart: settings.exportPartRows,
    payments,
    payoutApprovalOverMinor: settings.payoutApprovalOverMinor,
    async close() {
      await sources.close();
      await payments?.close();
    },
  };
}
