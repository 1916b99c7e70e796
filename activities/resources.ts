/** What side effects need of the world, opened once a worker process. */
import { openArtifactStore } from '../libs/artifacts/open-artifact-store.js';
import type { ArtifactStore } from '../libs/artifacts/artifact-store.js';
import type { Settings } from '../libs/config/settings.js';
import { loadDatasets, type Datasets } from '../libs/datasets/datasets.js';
import { openSources, type Sources } from '../libs/datasets/sources.js';
import type { Database } from '../libs/store/database.js';

export interface Resources {
  /** Longhaul's own database, open as `worker`. */
  readonly database: Database;
  readonly artifacts: ArtifactStore;
  readonly datasets: Datasets;
  readonly sources: Sources;
  /** Of an export: about how many. */
  readonly rowsPerPart: number;
  /** Closes what `openResources` opened; the database stays its owner's. */
  close(): Promise<void>;
}

/** Opens everything, and throws at boot what would otherwise fail a job: a wrong datasets' file, a source not set. */
export async function openResources(
  settings: Settings,
  options: { readonly database: Database; readonly env?: NodeJS.ProcessEnv },
): Promise<Resources> {
  const datasets = loadDatasets(settings.datasetsFile);
  const sources = openSources(datasets, options.env);
  return {
    database: options.database,
    artifacts: await openArtifactStore(settings),
    datasets,
    sources,
    rowsPerPart: settings.exportPartRows,
    close: () => sources.close(),
  };
}
