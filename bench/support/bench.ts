/** What every bench is given. */
import type { Sample } from './rounds.js';

export interface BenchTools {
  readonly home: string | undefined;
  readonly limitMs: number;
  readonly say: (text: string) => void;
  readonly onSample: (name: string, round: number, sample: Sample) => void;
}
