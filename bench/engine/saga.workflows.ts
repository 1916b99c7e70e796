/** What the sandbox of the saga's worker runs. */
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { trip } from './trip.job.js';

export const benchTrip = bindWorkflow(trip);
