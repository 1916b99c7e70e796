/** W3C trace context: the caller's trace is gone on with, or a new one is begun. */
import type { FastifyRequest } from 'fastify';
import { takeRandomBytes } from '../../../libs/security/random-bytes.js';

export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** `00-<trace>-<span>-<flags>`, with a span of our own: stored with the job. */
  readonly traceParent: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SPAN_BYTES = 8;
const TRACE_BYTES = 16;
const SAMPLED = '01';

/** Reads `traceparent`; a missing or malformed one begins a new trace, as the recommendation says. */
export function startTrace(traceparent: string | string[] | undefined): Trace {
  if (typeof traceparent !== 'string') return beginTrace();
  const match = TRACEPARENT.exec(traceparent.trim());
  const [, version, traceId, parent, flags, more] = match ?? [];
  const usable =
    traceId !== undefined &&
    version !== 'ff' &&
    !(version === '00' && more !== undefined) &&
    !/^0+$/.test(traceId) &&
    !/^0+$/.test(parent ?? '0');
  if (!usable) return beginTrace();
  const span = takeRandomBytes(SPAN_BYTES).toString('hex');
  return { traceId, traceParent: `00-${traceId}-${span}-${flags ?? SAMPLED}` };
}

function beginTrace(): Trace {
  const hex = takeRandomBytes(TRACE_BYTES + SPAN_BYTES).toString('hex');
  const traceId = hex.slice(0, TRACE_BYTES * 2);
  return { traceId, traceParent: `00-${traceId}-${hex.slice(TRACE_BYTES * 2)}-${SAMPLED}` };
}

const traces = new WeakMap<object, Trace>();

/** The request's trace, begun at its first mention: errors may come before any hook has run. */
export function traceOf(request: FastifyRequest): Trace {
  const there = traces.get(request.raw);
  if (there) return there;
  const trace = startTrace(request.headers?.['traceparent']);
  traces.set(request.raw, trace);
  return trace;
}
