/** The order of the test files: those that take long begin first, so that no worker ends long after the other. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By their measured time, the longest first; all others follow in vitest's own order. */
const LONGEST = [
  // Both start whole stacks: beside each other, not beside those that are held to a time limit.
  'apps/cli/demo.it',
  'embedded/stack.it',
  // One computes, the other waits.
  'conformance/mutants.it',
  'conformance/conformance.it',
  'chaos/',
  'fuzz/',
  'report-export/killed-worker.it',
  'artifacts/s3-killed.it',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    return others
      .map((file) => ({ file, rank: rankOf(file) }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ file }) => file);
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((name) => moduleId.includes(`/${name}`));
  return rank < 0 ? LONGEST.length : rank;
}
