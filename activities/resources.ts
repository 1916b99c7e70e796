/** What side effects need of the world, opened once a worker process. */
import { openArtifactStore } from '../libs/artifacts/open-artifact-store.js';
import type { ArtifactStore } from '../libs/artifacts/artifact-store.js';
import type { Settings } from '../libs/config/settings.js';
import { loadDatasets, type Datasets } from '../libs/datasets/datasets.js';
import { openSources, type Sources } from '../libs/datasets/sources.js';
import type { ChildJobs } from '../libs/saga/child-jobs.js';
import type { JobRef } from '../libs/saga/implement.js';
import type { TenantCipher } from '../libs/security/tenant-cipher.js';
import { createChildJobs } from '../libs/store/child-jobs.store.js';
import type { Database } from '../libs/store/database.js';
import { createJobInputs } from '../libs/store/job-input.store.js';
import { createDeliveryClient, type DeliveryClient } from '../libs/webhooks/delivery.client.js';
import { createGate, type Gate } from '../libs/webhooks/gate.js';
import { createSigningKeys, type SigningKeys } from '../libs/webhooks/signing-keys.js';
import { targetPolicy } from '../libs/webhooks/target.js';
import { WebhookEvent } from '../workflows/webhook-event.js';
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

/** What images need. */
export interface ImageResources {
  readonly database: Database;
  readonly artifacts: ArtifactStore;
}

/** What payouts need. */
export interface PayoutResources {
  /** Undefined where none is configured: payouts park. */
  readonly payments: PaymentProvider | undefined;
  /** A batch of more than this, in minor units, waits for a person's approval. */
  readonly payoutApprovalOverMinor: number;
}

/** What webhooks need. */
export interface WebhookResources {
  readonly database: Database;
  /** Jobs that a job starts: the events that tell owners of their endpoints. */
  readonly children: ChildJobs;
  readonly webhooks: {
    readonly client: DeliveryClient;
    readonly keys: SigningKeys;
    readonly gate: Gate;
    /** The wait after each attempt. */
    readonly retryWaitsMs: readonly number[];
    /** The input of a `webhook.fanout`. */
    readonly loadEvent: (job: JobRef) => Promise<WebhookEvent>;
  };
}

export interface Resources extends ExportResources, ImageResources, PayoutResources, WebhookResources {
  /** Closes what `openResources` opened; the database stays its owner's. */
  close(): Promise<void>;
}

/** Opens everything, and throws at boot what would otherwise fail a job: a wrong datasets' file, a source not set. */
export async function openResources(
  settings: Settings,
  options: { readonly database: Database; readonly cipher: TenantCipher; readonly env?: NodeJS.ProcessEnv },
): Promise<Resources> {
  const payments =
    settings.payments &&
    createPaymentProvider({ url: settings.payments.providerUrl, key: settings.payments.providerKey });
  const datasets = loadDatasets(settings.datasetsFile);
  const sources = openSources(datasets, options.env);
  const webhooks = openWebhooks(settings, options);
  return {
    database: options.database,
    artifacts: await openArtifactStore(settings),
    datasets,
    sources,
    rowsPerPart: settings.exportPartRows,
    payments,
    payoutApprovalOverMinor: settings.payoutApprovalOverMinor,
    children: createChildJobs(options.database, options.cipher),
    webhooks,
    async close() {
      await sources.close();
      await payments?.close();
      await webhooks.client.close();
    },
  };
}

function openWebhooks(
  { webhooks }: Settings,
  { database, cipher }: { readonly database: Database; readonly cipher: TenantCipher },
): WebhookResources['webhooks'] {
  const loadInput = createJobInputs(database, cipher, (_, input) => WebhookEvent.parse(input));
  return {
    client: createDeliveryClient({ policy: targetPolicy(webhooks.allowedNetworks) }),
    keys: createSigningKeys(cipher),
    gate: createGate(),
    retryWaitsMs: webhooks.retryWaitsMs,
    loadEvent: async (job) => (await loadInput(job)) as WebhookEvent,
  };
}
