/** What the API works with, as one injectable: opened by `createApi`, or handed in by a test. */
import type { Settings } from '../../libs/config/settings.js';
import type { ArtifactStore } from '../../libs/artifacts/artifact-store.js';
import type { Datasets } from '../../libs/datasets/datasets.js';
import type { DocumentTemplates } from '../../libs/documents/document-templates.js';
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import type { TenantCipher } from '../../libs/security/tenant-cipher.js';
import type { AcceptanceGatherer } from '../../libs/store/acceptance.gatherer.js';
import type { Database } from '../../libs/store/database.js';
import type { Logger } from '../../libs/telemetry/logger.js';
import type { Codec } from '../../libs/temporal/codec.js';
import type { Engine } from './engine/engine.js';

/** Tells the relay that there is work, without ever being needed for correctness. */
export interface Poke {
  poke(): void;
}

/** Fields are filled by `createApi`. A class, so that Nest injects it by its type. */
export class ApiResources {
  readonly settings: Settings;
  readonly log: Logger;
  readonly database: Database;
  readonly acceptances: AcceptanceGatherer;
  readonly cipher: TenantCipher;
  readonly engine: Engine;
  readonly poke: Poke;
  readonly codec: Codec;
  readonly artifacts: ArtifactStore;
  readonly datasets: Datasets;
  readonly documents: DocumentTemplates;
  /** By kind. */
  readonly definitions: ReadonlyMap<string, AnyJobDefinition>;

  constructor(parts: Omit<ApiResources, never>) {
    this.settings = parts.settings;
    this.log = parts.log;
    this.database = parts.database;
    this.acceptances = parts.acceptances;
    this.cipher = parts.cipher;
    this.engine = parts.engine;
    this.poke = parts.poke;
    this.codec = parts.codec;
    this.artifacts = parts.artifacts;
    this.datasets = parts.datasets;
    this.documents = parts.documents;
    this.definitions = parts.definitions;
  }
}
