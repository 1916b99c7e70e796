/** What the API says when it says no: RFC 9457 problem details, as an Error. */

export interface FieldProblem {
  /** JSON pointer into the request, e.g. `/input/format`. */
  readonly pointer: string;
  readonly detail: string;
}

interface ProblemFields {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldProblem[] | undefined;
  readonly traceId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** An answer of 4xx or 5xx. Branch on `code` (stable, docs/errors.md), never on the message. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string | undefined;
  /** Every field that is wrong, all at once; empty where the problem is none of validation. */
  readonly errors: readonly FieldProblem[];
  /** Give this to whoever runs the service. */
  readonly traceId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(fields: ProblemFields) {
    const fieldLines = (fields.errors ?? []).map((error) => `\n  ${error.pointer || '/'}: ${error.detail}`);
    super(`${fields.status} ${fields.code}: ${fields.detail ?? fields.title}${fieldLines.join('')}`);
    this.name = 'ProblemError';
    this.status = fields.status;
    this.code = fields.code;
    this.title = fields.title;
    this.detail = fields.detail;
    this.errors = fields.errors ?? [];
    this.traceId = fields.traceId;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function parseFieldProblems(value: unknown): FieldProblem[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const { pointer, detail } = (entry ?? {}) as { pointer?: unknown; detail?: unknown };
    return typeof detail === 'string' ? [{ pointer: text(pointer) ?? '', detail }] : [];
  });
}

/** Reads a refusal. What is no problem document (a proxy's HTML page) becomes one with the code `http_<status>`. */
export async function toProblemError(response: Response): Promise<ProblemError> {
  const body = await response.text();
  let document: Record<string, unknown> = {};
  if ((response.headers.get('content-type') ?? '').includes('json')) {
    try {
      document = (JSON.parse(body) ?? {}) as Record<string, unknown>;
    } catch {
      document = { detail: `an answer that is not the JSON it claims to be: ${body.slice(0, 200)}` };
    }
  }
  return new ProblemError({
    status: response.status,
    code: text(document['code']) ?? `http_${response.status}`,
    title: text(document['title']) ?? (response.statusText || 'The server refused'),
    detail: text(document['detail']),
    errors: parseFieldProblems(document['errors']),
    traceId: text(document['traceId']) ?? response.headers.get('x-trace-id') ?? undefined,
    retryAfterMs: parseRetryAfter(response.headers.get('retry-after')),
  });
}

/** `Retry-After` as milliseconds: seconds or an HTTP date (RFC 9110); undefined where it is missing or nonsense. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
