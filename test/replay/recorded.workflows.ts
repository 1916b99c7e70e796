/** The present code of every kind whose histories are kept. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { errand, FEW_EVENTS, longOrder, order, snapshot } from '../conformance/kinds.js';
import { tripBook as tripBookDefinition } from '../docs/trip-book.job.js';
import { briefErrand } from './brief-errand.job.js';
import { patchedJob } from './patched.job.js';

export * from '../../workflows/temporal.js';
export const testOrder = bindWorkflow(order);
export const testOrderLong = bindWorkflow(longOrder, FEW_EVENTS);
export const testSnapshot = bindWorkflow(snapshot);
export const testErrand = bindWorkflow(errand);
export const testErrandBrief = bindWorkflow(briefErrand);
export const testPatched = bindWorkflow(patchedJob);
export const tripBook = bindWorkflow(tripBookDefinition);
