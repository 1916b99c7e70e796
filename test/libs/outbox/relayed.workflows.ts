/** Workflows for the relay's tests: one that ends, one that waits for its cancel, one that cannot run. */
import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { CancelSignal, WorkflowStart } from '../../../libs/outbox/dispatcher.js';

const cancel = defineSignal<[CancelSignal]>('cancel');

export async function relayed(start: WorkflowStart): Promise<WorkflowStart> {
  return start;
}

export async function waiting(): Promise<string> {
  const reasons: string[] = [];
  setHandler(cancel, ({ reason }) => void reasons.push(reason ?? 'none'));
  await condition(() => reasons.length > 0);
  return reasons.join();
}

export async function broken(): Promise<void> {
  throw new TypeError('a programming error in a definition');
}

/** Stands for the kind that the relay's own process knows. */
export const reportExport = relayed;
