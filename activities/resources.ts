/** What side effects need of the world, opened once a worker process. */
import { openArtifactStore } from '../libs/artifacts/open-artifact-store.js';
import type { ArtifactStore } from '../libs/artifacts/artifact-store.js';
import type { Settings } from '../libs/config/settings.js';
import { loadDatasets, type Datasets } from '../libs/datasets/datasets.js';
import { openSources, type Sources } from '../libs/datasets/sources.js';
import { createSmtpClient, type SmtpClient } from '../libs/emails/smtp.client.js';
import { createSuppressions, type Suppressions } from '../libs/emails/suppressions.store.js';
import { loadDocumentTemplates, type DocumentTemplates } from '../libs/documents/document-templates.js';
import { openLayout, type Layout } from '../libs/documents/layout.js';
import type { JobRef } from '../libs/saga/implement.js';
import type { TenantCipher } from '../libs/security/tenant-cipher.js';
import { createChildJobs } from '../libs/store/child-jobs.store.js';
import type { Database } from '../libs/store/database.js';
import { createJobStarter, type JobStarter } from '../libs/store/job-starter.js';
import { createJobInputs } from '../libs/store/job-input.store.js';
import { createSealSecret, type SealSecret } from '../libs/webhooks/callback-secrets.store.js';
import { createDeliveryClient, type DeliveryClient } from '../libs/webhooks/delivery.client.js';
import { createDestinations, type Destinations } from '../libs/webhooks/destination.js';
import { createGate, type Gate } from '../libs/webhooks/gate.js';
import { createPaces, type Paces } from '../libs/webhooks/paces.js';
import { createSigningKeys, type SigningKeys } from '../libs/webhooks/signing-keys.js';
import { targetPolicy } from '../libs/webhooks/target.js';
import { WebhookEvent } from '../workflows/webhook-event.js';
import { createOutcomeRecorder, type OutcomeRecorder } from './webhook/outcome-recorder.js';
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

/** What documents need, beside what exports do. */
export interface DocumentResources extends Pick<ExportResources, 'database' | 'artifacts' | 'sources'> {
  readonly documents: DocumentTemplates;
  readonly layout: Layout;
  /** Lines of a document. */
  readonly documentRowsMax: number;
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
  /** Jobs that a job starts and does not wait for: the events that tell of payouts. */
  readonly jobs: JobStarter;
}

/** What webhooks need. */
export interface WebhookResources {
  readonly database: Database;
  readonly webhooks: {
    readonly client: DeliveryClient;
    readonly keys: SigningKeys;
    readonly destinations: Destinations;
    readonly gate: Gate;
    readonly paces: Paces;
    readonly recorder: OutcomeRecorder;
    /** The wait after each attempt. */
    readonly retryWaitsMs: readonly number[];
    /** The input of a `webhook.fanout`. */
    readonly loadEvent: (job: JobRef) => Promise<WebhookEvent>;
    readonly sealSecret: SealSecret;
    /** Of the API: for links. */
    readonly publicUrl: string;
  };
}

/** What e-mail needs. */
export interface EmailResources {
  readonly database: Database;
  /** Files that messages link to. */
  readonly artifacts: ArtifactStore;
  readonly emails: {
    /** Undefined where none is configured: jobs park. */
    readonly smtp: SmtpClient | undefined;
    /** Opens lists of recipients. */
    readonly cipher: TenantCipher;
    readonly suppressions: Suppressions;
    readonly from: { readonly address: string; readonly name?: string } | undefined;
    readonly rates: { readonly all: number | undefined; readonly tenant: number | undefined };
    /** The wait after each attempt. */
    readonly retryWaitsMs: readonly number[];
  };
}

export interface Resources
  extends
    ExportResources,
    DocumentResources,
    ImageResources,
    PayoutResources,
    WebhookResources,
    EmailResources {
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
  const documents = loadDocumentTemplates(settings.datasetsFile, datasets);
  const layout = openLayout(settings.documents.fontFolder);
  const webhooks = openWebhooks(settings, options);
  const emails = openEmails(settings, options.cipher);
  return {
    database: options.database,
    artifacts: await openArtifactStore(settings),
    datasets,
    sources,
    rowsPerPart: settings.exportPartRows,
    documents,
    layout,
    documentRowsMax: settings.documents.rowsMax,
    payments,
    payoutApprovalOverMinor: settings.payoutApprovalOverMinor,
    jobs: createJobStarter(options.cipher),
    webhooks,
    emails,
    async close() {
      await layout.close();
      await sources.close();
      await payments?.close();
      await webhooks.client.close();
      emails.smtp?.close();
    },
  };
}

function openWebhooks(
  { webhooks, publicUrl }: Settings,
  { database, cipher }: { readonly database: Database; readonly cipher: TenantCipher },
): WebhookResources['webhooks'] {
  const loadInput = createJobInputs(database, cipher, (_, input) => WebhookEvent.parse(input));
  return {
    client: createDeliveryClient({ policy: targetPolicy(webhooks.allowedNetworks) }),
    keys: createSigningKeys(cipher),
    destinations: createDestinations(),
    gate: createGate(),
    paces: createPaces(),
    // Among them jobs of its own: the events that tell owners of their endpoints.
    recorder: createOutcomeRecorder(database, createChildJobs(database, cipher)),
    retryWaitsMs: webhooks.retryWaitsMs,
    loadEvent: async (job) => (await loadInput(job)) as WebhookEvent,
    sealSecret: createSealSecret(cipher),
    publicUrl,
  };
}

function openEmails({ emails }: Settings, cipher: TenantCipher): EmailResources['emails'] {
  const { smtpUrl, connections, from, rates, retryWaitsMs } = emails;
  const smtp = smtpUrl === undefined ? undefined : createSmtpClient({ url: smtpUrl, connections });
  return { smtp, cipher, suppressions: createSuppressions(cipher), from, rates, retryWaitsMs };
}
