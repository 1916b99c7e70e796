/** Who is measured by the bench `engine`: workflow types and the queues they start on. Pure. */

export const SAGA = 'saga';
export const BY_HAND = 'by hand';

/** One a worker process: each has queues, connections and a memory of its own. */
export type HostName = 'saga' | 'by-hand';

export interface EngineContender {
  readonly name: string;
  readonly host: HostName;
  readonly workflowType: string;
}

export const CONTENDERS: readonly EngineContender[] = [
  { name: SAGA, host: 'saga', workflowType: 'benchTrip' },
  { name: BY_HAND, host: 'by-hand', workflowType: 'byHand' },
  { name: 'by hand, start apart', host: 'by-hand', workflowType: 'byHandStartApart' },
  { name: 'by hand, one queue', host: 'by-hand', workflowType: 'byHandOneQueue' },
];

/** Where a contender's workflows run; its steps run on the queue of their pool. */
export function workflowQueueOf(host: HostName): string {
  return `bench-${host}-workflows`;
}
