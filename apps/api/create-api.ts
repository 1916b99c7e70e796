/** The API as a value: opened on its settings, listening, closable. What a process runs and a test starts. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import type { Settings } from '../../libs/config/settings.js';
import { openArtifactStore } from '../../libs/artifacts/open-artifact-store.js';
import { loadDatasets, type Datasets } from '../../libs/datasets/datasets.js';
import { loadDocumentTemplates, type DocumentTemplates } from '../../libs/documents/document-templates.js';
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import { createTenantCipher } from '../../libs/security/tenant-cipher.js';
import { createAcceptanceGatherer } from '../../libs/store/acceptance.gatherer.js';
import { openDatabase } from '../../libs/store/database.js';
import { listenToJobEnds } from '../../libs/store/job-ends.js';
import { createLogger, type Logger } from '../../libs/telemetry/logger.js';
import { createCodec } from '../../libs/temporal/codec.js';
import { connectTemporal } from '../../libs/temporal/connection.js';
import { definitions as allDefinitions } from '../../workflows/index.js';
import { batchRequests } from './api.metrics.js';
import { ApiModule } from './api.module.js';
import { ApiResources } from './api.resources.js';
import { Authenticator } from './auth/authenticator.js';
import { createEngine, type Engine } from './engine/engine.js';
import { createAdapter, installHooks } from './http/adapter.js';
import { trackRequests } from './http/drain.js';
import { toNestLogger } from './http/nest-log.js';
import { JobWatcher } from './jobs/job.watcher.js';
import { serveOpenApi } from './openapi/document.js';
import { createOutboxPoke } from './outbox.poke.js';

/** For downloads and the like; clients resume them elsewhere. Less than a supervisor waits for the process. */
const DRAIN_GRACE_MS = 5_000;

/** What a test may bring instead of what the settings name. */
export interface ApiDependencies {
  readonly definitions?: readonly AnyJobDefinition[];
  readonly datasets?: Datasets;
  readonly documents?: DocumentTemplates;
  readonly engine?: Engine;
  readonly log?: Logger;
}

export interface Api {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly resources: ApiResources;
  /** Ends event streams, answers what is under way, closes every connection. */
  close(): Promise<void>;
}

/** Opens everything, and listens. Needs neither database nor engine to be there yet. */
export async function createApi(settings: Settings, dependencies: ApiDependencies = {}): Promise<Api> {
  const log = dependencies.log ?? createLogger('api', settings.logLevel);
  const database = openDatabase(settings.databaseUrl.app, 'app', {
    max: settings.databasePoolMax,
    name: 'longhaul-api',
    onError: (error) => log.debug({ err: error }, 'an idle connection was lost'),
  });
  const acceptances = createAcceptanceGatherer(database, (requests) => batchRequests.observe(requests));
  const cipher = createTenantCipher(database, settings.masterKey);
  const secrets = { cipher, database };
  // Readers wait 300 ms: a call that is repeated inside would only be late.
  const temporal = dependencies.engine ? undefined : connectTemporal(settings, secrets, { attemptsMax: 1 });
  const poke = createOutboxPoke(settings.databaseUrl.app, log);
  const datasets = dependencies.datasets ?? loadDatasets(settings.datasetsFile);
  const resources = new ApiResources({
    settings,
    log,
    database,
    acceptances,
    cipher,
    engine: dependencies.engine ?? createEngine(temporal!),
    poke,
    codec: createCodec(secrets),
    artifacts: await openArtifactStore(settings),
    datasets,
    documents: dependencies.documents ?? loadDocumentTemplates(settings.datasetsFile, datasets),
    definitions: byKind(dependencies.definitions ?? allDefinitions),
  });
  const adapter = createAdapter(resources);
  const holder: { authenticator?: Authenticator } = {};
  installHooks(adapter, resources, () => {
    if (!holder.authenticator) throw new Error('a request came before the API was ready');
    return holder.authenticator;
  });
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(resources), adapter, {
    bodyParser: false,
    logger: toNestLogger(log),
    abortOnError: false,
  });
  holder.authenticator = app.get(Authenticator);
  serveOpenApi(app, resources);
  const watcher = app.get(JobWatcher);
  const ends = listenToJobEnds(settings.databaseUrl.app, (jobId) => watcher.lookNow(jobId), log);
  const drain = trackRequests(app.getHttpServer());
  await app.listen({ port: settings.port, host: settings.host });
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    url: `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`,
    resources,
    close: async () => {
      await drain.finish(app.close(), DRAIN_GRACE_MS);
      // A client that was cut off has no answer, but its job is in or not by now.
      await acceptances.drain();
      await Promise.all([poke.close(), ends.close(), database.end(), temporal?.close()]);
    },
  };
}

/** Two kinds of one name would answer for each other. */
function byKind(definitions: readonly AnyJobDefinition[]): ReadonlyMap<string, AnyJobDefinition> {
  const map = new Map<string, AnyJobDefinition>();
  for (const definition of definitions) {
    if (map.has(definition.kind)) {
      throw new Error(`Two kinds are named "${definition.kind}"; rename one in workflows/index.ts.`);
    }
    map.set(definition.kind, definition);
  }
  return map;
}
