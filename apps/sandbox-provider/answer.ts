/** What a handler answers: a status and JSON, or something no well-behaved server does. */
import { z } from 'zod';

export interface JsonAnswer {
  readonly kind: 'json';
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends within the body, with a reset. */
  readonly isCut?: boolean;
}

/** `drop`: the connection is reset. `hang`: nothing is ever said. */
export type Answer = JsonAnswer | { readonly kind: 'drop' | 'hang' };

export function json(status: number, body: unknown, headers?: Record<string, string>): JsonAnswer {
  return { kind: 'json', status, body, ...(headers ? { headers } : {}) };
}

/** An error as this provider says it. `code` is snake_case and stable. */
export function refusal(
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
): JsonAnswer {
  return json(status, { error: { code, message } }, headers);
}

/** A body or query that is not what it should be. */
export function invalid(error: z.ZodError): JsonAnswer {
  return refusal(422, 'invalid_request', z.prettifyError(error));
}
