/** What the conformance suite's workflow workers host. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { errand, longErrand, longOrder, longSnapshot, order, snapshot } from './kinds.js';

export const testOrder = bindWorkflow(order);
export const testSnapshot = bindWorkflow(snapshot);
export const testErrand = bindWorkflow(errand);

/** What a step or two make. */
const FEW = { historyEventsMax: 8 };
export const testOrderLong = bindWorkflow(longOrder, FEW);
export const testSnapshotLong = bindWorkflow(longSnapshot, FEW);
export const testErrandLong = bindWorkflow(longErrand, FEW);
