/** The kinds of a chaos run. */
import type { ChaosKind } from './kind.js';
import { reportExportChaos } from './report-export.js';

/** Made anew for each run: a kind may hold connections and processes of its own. */
export function chaosKinds(): ChaosKind[] {
  return [reportExportChaos()];
}
