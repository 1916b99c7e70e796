/** Runs an accepted `image.renditions` in memory over the real steps: as a worker would, on its role and on the API's own store. */
import { imageRenditions as implement } from '../../activities/image/image-renditions.js';
import type { ImageResources } from '../../activities/resources.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { runInMemory, type MemoryRun, type MemoryRunOptions } from '../../libs/saga/memory.js';
import {
  imageRenditions as definition,
  type ImageRenditionsInput,
} from '../../workflows/image-renditions.job.js';
import { createRealClock } from './real-clock.js';
import { openTransaction } from './tenant-transaction.js';

export interface AcceptedJob {
  readonly id: string;
  readonly tenantId: string;
  readonly input: ImageRenditionsInput;
}

export type ImageSteps = Implementation<typeof definition>['steps'];

/** `wrap` stands between the saga and single steps. */
export function runImageJob(
  resources: ImageResources,
  { id, tenantId, input }: AcceptedJob,
  options: Partial<MemoryRunOptions<typeof definition>> & {
    readonly wrap?: (steps: ImageSteps) => Partial<ImageSteps>;
  } = {},
): Promise<MemoryRun> {
  const { wrap, ...others } = options;
  const real = implement(resources);
  const steps = { ...real.steps, ...wrap?.(real.steps) };
  const job = { id, tenantId, kind: definition.kind };
  type Step = (args: unknown, context: object) => unknown;
  /** The saga in memory has a job id of its own. */
  const ofJob = <T extends object>(functions: T): T =>
    Object.fromEntries(
      Object.entries(functions).map(([name, act]) => [
        name,
        (args: unknown, context: object) =>
          (act as Step)(
            args,
            new Proxy(context, {
              get: (own, key) => (key === 'job' ? job : (Reflect.get(own, key) as unknown)),
            }),
          ),
      ]),
    ) as T;
  return runInMemory(
    definition,
    { steps: ofJob(steps), undos: ofJob(real.undos), probes: ofJob(real.probes) },
    {
      input,
      clock: createRealClock(),
      // Somebody would have to decide, and nobody is here.
      stopWhenParked: true,
      openTransaction: () => openTransaction(resources.database, tenantId),
      ...others,
    },
  );
}
