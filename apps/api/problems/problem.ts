/** A refusal on its way to the client. Throw it anywhere; the filter sends it as problem+json. */
import { problemTable, type ProblemCode } from './problem.table.js';

export interface FieldError {
  /** A JSON pointer into the body, e.g. `/input/format`; for a query parameter, `/name`. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** The job the refusal is about, when there is one the client may see. */
  readonly jobId?: string;
  /** Of a decision: what is possible instead. */
  readonly possible?: readonly string[];
  readonly cause?: unknown;
}

/** What problem+json says, without what only the request knows. */
export interface ProblemBody {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly jobId?: string;
  readonly possible?: readonly string[];
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ProblemCode;
  readonly traceId: string;
  readonly errors?: readonly FieldError[];
  readonly jobId?: string;
  readonly possible?: readonly string[];
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export class Problem extends Error {
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly jobId: string | undefined;
  readonly possible: readonly string[] | undefined;

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    super(`${code}: ${detail}`, { cause: options.cause });
    this.name = 'Problem';
    this.errors = options.errors;
    this.headers = options.headers ?? {};
    this.jobId = options.jobId;
    this.possible = options.possible;
  }

  get status(): number {
    return problemTable[this.code].status;
  }

  /** What can be stored and sent again to another request. */
  toBody(): ProblemBody {
    return {
      code: this.code,
      detail: this.detail,
      ...(this.errors ? { errors: this.errors } : {}),
      ...(this.jobId ? { jobId: this.jobId } : {}),
      ...(this.possible ? { possible: this.possible } : {}),
    };
  }
}

/** The document for one request. `type` can be looked up: the API explains its codes under /problems/. */
export function toProblemDocument(
  body: ProblemBody,
  about: { readonly publicUrl: string; readonly instance: string; readonly traceId: string },
): ProblemDocument {
  const { status, title } = problemTable[body.code];
  return {
    type: `${about.publicUrl}/problems/${body.code}`,
    title,
    status,
    detail: body.detail,
    instance: about.instance,
    code: body.code,
    traceId: about.traceId,
    ...(body.errors ? { errors: body.errors } : {}),
    ...(body.jobId ? { jobId: body.jobId } : {}),
    ...(body.possible ? { possible: body.possible } : {}),
  };
}
