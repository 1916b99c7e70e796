/** The artifact store the settings ask for; the API, the relay and the workers open the same one. */
import type { Settings } from '../config/settings.js';
import type { ArtifactStore } from './artifact-store.js';
import { createFolderStore } from './folder-store.js';
import { createS3Store } from './s3-store.js';
import { artifactSecretOf } from './signed-url.js';

export function openArtifactStore(
  settings: Pick<Settings, 'artifactsDir' | 'publicUrl' | 'masterKey' | 's3'>,
): ArtifactStore {
  if (settings.s3) return createS3Store(settings.s3);
  return createFolderStore({
    root: settings.artifactsDir,
    publicUrl: settings.publicUrl,
    secret: artifactSecretOf(settings.masterKey),
  });
}
