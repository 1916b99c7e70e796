/** What the conformance suite's workflow workers host. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { convoy, errand, order, snapshot, stall } from './kinds.js';

export const testOrder = bindWorkflow(order);
export const testSnapshot = bindWorkflow(snapshot);
export const testConvoy = bindWorkflow(convoy);
export const testErrand = bindWorkflow(errand);
export const testStall = bindWorkflow(stall);
