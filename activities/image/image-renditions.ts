/** The side effects of `image.renditions`, a file a step. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { imageRenditions as definition } from '../../workflows/image-renditions.job.js';
import type { ImageResources } from '../resources.js';
import { announce } from './announce.js';
import { inspect } from './inspect.js';
import { findManifest, publishManifest } from './publish.js';
import { discardRenditions, renderSource } from './render.js';

export function imageRenditions(resources: ImageResources): Implementation<typeof definition> {
  return {
    steps: {
      inspect: (_, context) => inspect(resources, context),
      render: (args, context) => renderSource(resources, args, context),
      publish: (_, context) => publishManifest(resources, context),
      announce: (args, context) => announce(resources, args, context),
    },
    undos: { discardRenditions: (args, context) => discardRenditions(resources, args, context) },
    probes: { findManifest: (_, context) => findManifest(resources, context) },
  };
}
