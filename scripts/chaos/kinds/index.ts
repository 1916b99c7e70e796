/** The kinds of a chaos run. */
import type { ChaosKind } from './kind.js';
import { payoutBatchChaos } from './payout-batch.js';
import { reportExportChaos } from './report-export.js';

/** Made anew for each run. The seed is for what a kind's own surroundings do wrong. */
export function chaosKinds(seed: number): ChaosKind[] {
  return [reportExportChaos(), payoutBatchChaos(seed)];
}
