/** What lies in the folder of artifacts. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreContents } from './evidence.js';

/** The names in each of its folders. Burnt keys (`aborted`) stay, by design. */
export async function readArtifactFolder(root: string): Promise<StoreContents> {
  const [uploads, published, trash] = await Promise.all(
    ['uploads', 'published', 'trash'].map((folder) => namesIn(join(root, folder))),
  );
  return { uploads: uploads ?? [], published: published ?? [], trash: trash ?? [] };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
