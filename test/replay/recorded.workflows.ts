/** The present code of every kind whose histories are kept. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { order, snapshot } from '../conformance/kinds.js';
import { tripBook as tripBookDefinition } from '../docs/trip-book.job.js';
import { patchedJob } from './patched.job.js';

export * from '../../workflows/temporal.js';
export const testOrder = bindWorkflow(order);
export const testSnapshot = bindWorkflow(snapshot);
export const testPatched = bindWorkflow(patchedJob);
export const tripBook = bindWorkflow(tripBookDefinition);
