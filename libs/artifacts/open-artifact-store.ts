/**
 * The artifact store the settings ask for; the API, the relay and the workers open the same one. S3's SDK is loaded only
 * where there is a bucket: it takes a process a quarter of a second and 35 MB.
 */
import type { Settings } from '../config/settings.js';
import type { ArtifactStore } from './artifact-store.js';
import { createFolderStore } from './folder-store.js';
import { artifactSecretOf } from './signed-url.js';

export async function openArtifactStore(
  settings: Pick<Settings, 'artifactsDir' | 'publicUrl' | 'masterKey' | 's3'>,
): Promise<ArtifactStore> {
  if (settings.s3) {
    const { createS3Store } = await import('./s3-store.js');
    return createS3Store(settings.s3);
  }
  return createFolderStore({
    root: settings.artifactsDir,
    publicUrl: settings.publicUrl,
    secret: artifactSecretOf(settings.masterKey),
  });
}
