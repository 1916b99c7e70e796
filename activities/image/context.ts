/** What the steps of `image.renditions` share: types from the definition, and keys. */
import type { ArgsOf, OutputOf } from '../../libs/saga/define.js';
import type { CallContext, StepContext, UndoContext } from '../../libs/saga/implement.js';
import type { imageRenditions, ImageRenditionsInput } from '../../workflows/image-renditions.job.js';

type StepsOfImages = (typeof imageRenditions)['steps'];
export type StepName = keyof StepsOfImages;
export type Args<N extends StepName> = ArgsOf<StepsOfImages[N]>;
export type Output<N extends StepName> = OutputOf<StepsOfImages[N]>;
export type Context<N extends StepName> = StepContext<ImageRenditionsInput, StepsOfImages[N]>;
export type Call = CallContext<ImageRenditionsInput>;
export type Undo = UndoContext<ImageRenditionsInput>;

/** The key of one file: discarding burns it, so a later generation has another. */
export function fileKeyOf({ job, generation }: Call, source: number, place: number): string {
  return `${job.id}/${generation}/${source}-${place}`;
}

export function manifestKeyOf({ job, generation }: Call): string {
  return `${job.id}/${generation}/manifest`;
}
