/** The saga of the kind whose steps are decided about, for a worker of the tests. */
import { bindWorkflow } from '../../../libs/saga/temporal/workflow.js';
import { approvedNote } from './kinds.js';

export const noteApproved = bindWorkflow(approvedNote);
