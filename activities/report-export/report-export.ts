/** The side effects of `report.export`, a file a step. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { reportExport as definition } from '../../workflows/report-export.job.js';
import type { ExportResources } from '../resources.js';
import { announce } from './announce.js';
import { keepSnapshot } from './keep.js';
import { countSnapshot } from './count.js';
import { planParts } from './plan.js';
import { findPublished, publish } from './publish.js';
import { discardParts, renderPart } from './render.js';

export function reportExport(resources: ExportResources): Implementation<typeof definition> {
  return {
    steps: {
      keep: (_, context) => keepSnapshot(resources, context),
      plan: (args, context) => planParts(resources, args, context),
      count: (args, context) => countSnapshot(resources, args, context),
      render: (args, context) => renderPart(resources, args, context),
      publish: (args, context) => publish(resources, args, context),
      announce: (args, context) => announce(resources, args, context),
    },
    undos: { discardParts: (args, context) => discardParts(resources, args, context) },
    probes: { findPublished: (args, context) => findPublished(resources, args, context) },
  };
}
