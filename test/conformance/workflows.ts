/** What the conformance suite's workflow workers host. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import {
  archive,
  convoy,
  errand,
  heralds,
  FEW_EVENTS,
  longErrand,
  longOrder,
  longSnapshot,
  order,
  snapshot,
  stall,
} from './kinds.js';

export const testOrder = bindWorkflow(order);
export const testSnapshot = bindWorkflow(snapshot);
export const testArchive = bindWorkflow(archive);
export const testConvoy = bindWorkflow(convoy);
export const testErrand = bindWorkflow(errand);
export const testHeralds = bindWorkflow(heralds);
export const testStall = bindWorkflow(stall);

export const testOrderLong = bindWorkflow(longOrder, FEW_EVENTS);
export const testSnapshotLong = bindWorkflow(longSnapshot, FEW_EVENTS);
export const testErrandLong = bindWorkflow(longErrand, FEW_EVENTS);
