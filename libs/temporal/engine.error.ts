/** What an error of an engine call means to the caller, by its gRPC code and class, never by its text. */
import {
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { getGrpcStatusDetails, trimGrpcTypeUrl } from '@temporalio/client/lib/helpers.js';
import { NamespaceNotFoundError } from '@temporalio/common';

/**
 * `away`: the engine cannot be used now, whatever is asked of it; wait, and ask again.
 * `already_started`, `not_found`: an answer about this workflow.
 * `refused`: an answer about this request (or an error on our side); the next request may fare better.
 */
export type EngineErrorClass = 'away' | 'already_started' | 'not_found' | 'refused';

/** gRPC status codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const GRPC = {
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  ABORTED: 10,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** Missing rights are about all requests, not one: a relay that skipped rows for them would skip every row. */
const AWAY_CODES: ReadonlySet<number> = new Set([
  GRPC.CANCELLED,
  GRPC.DEADLINE_EXCEEDED,
  GRPC.PERMISSION_DENIED,
  GRPC.RESOURCE_EXHAUSTED,
  GRPC.ABORTED,
  GRPC.UNAVAILABLE,
  GRPC.UNAUTHENTICATED,
]);
const CAUSES_MAX = 5;

/** Classifies an error thrown by a call to the engine. */
export function classifyEngineError(error: unknown): EngineErrorClass {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth += 1) {
    // With its own database down, the server says that a namespace of its is not found.
    if (current instanceof NamespaceNotFoundError) return 'away';
    if (current instanceof WorkflowExecutionAlreadyStartedError) return 'already_started';
    if (current instanceof WorkflowNotFoundError) return 'not_found';
    if (isGrpcServiceError(current)) {
      const code: number = current.code;
      if (AWAY_CODES.has(code)) return 'away';
      if (code === GRPC.NOT_FOUND) return isNamespaceNotFound(current) ? 'away' : 'not_found';
      if (code === GRPC.ALREADY_EXISTS) return 'already_started';
      return 'refused';
    }
    current = current.cause;
  }
  return 'refused';
}

/** The same answer as NamespaceNotFoundError, from a raw call to the service. */
function isNamespaceNotFound(error: Parameters<typeof getGrpcStatusDetails>[0]): boolean {
  const details = getGrpcStatusDetails(error) ?? [];
  return details.some(
    ({ type_url }) =>
      type_url != null &&
      trimGrpcTypeUrl(type_url) === 'temporal.api.errordetails.v1.NamespaceNotFoundFailure',
  );
}

/** Whether the engine cannot be used now: unreachable, overloaded, too slow, or without its own database. */
export function isEngineAway(error: unknown): boolean {
  return classifyEngineError(error) === 'away';
}
