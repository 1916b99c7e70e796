/** What the sandbox of the other worker runs: in a bundle of its own, which carries nothing of ours. */
import { HAND_WRITTEN_IO_QUEUE, tripWorkflow } from './hand-written.workflow.js';

export const byHand = tripWorkflow({ taskQueue: HAND_WRITTEN_IO_QUEUE, startApart: false });
export const byHandStartApart = tripWorkflow({ taskQueue: HAND_WRITTEN_IO_QUEUE, startApart: true });
export const byHandOneQueue = tripWorkflow({ startApart: false });
