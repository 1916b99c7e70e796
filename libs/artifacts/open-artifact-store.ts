/** The artifact store the settings ask for; the API, the relay and the workers open the same one. */
import type { Settings } from '../config/settings.js';
import { createFolderStore, type FolderStore } from './folder-store.js';
import { artifactSecretOf } from './signed-url.js';

export function openArtifactStore(
  settings: Pick<Settings, 'artifactsDir' | 'publicUrl' | 'masterKey'>,
): FolderStore {
  return createFolderStore({
    root: settings.artifactsDir,
    publicUrl: settings.publicUrl,
    secret: artifactSecretOf(settings.masterKey),
  });
}
