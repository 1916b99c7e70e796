/** Takes out of a history what tells of the machine and the moment of its recording, and nothing a replay looks at. */
import type { StoredEvent, StoredHistory } from './stored-history.js';

/** Ids of requests and of the server's own records, the hash of the bundle, and what is empty. */
const LEFT_OUT = new Set(['taskId', 'requestId', 'workerVersion', 'meteringMetadata']);
/** A sticky queue is called after the worker, with a random end. */
const STICKY = { name: 'sticky', kind: 'TASK_QUEUE_KIND_STICKY' } as const;

export function normalised({ events }: StoredHistory): StoredHistory {
  return { events: events.map((event) => without(event) as StoredEvent) };
}

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== 'object' || value === null) return value;
  if ('kind' in value && value.kind === STICKY.kind) return { ...value, ...STICKY };
  const kept = Object.entries(value).filter(([key, part]) => !LEFT_OUT.has(key) && !isEmptyHeader(key, part));
  return Object.fromEntries(kept.map(([key, part]) => [key, without(part)]));
}

function isEmptyHeader(key: string, value: unknown): boolean {
  return key === 'header' && typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
