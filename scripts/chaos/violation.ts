/** A promise that was not kept. */
export interface Violation {
  /** Which promise, in few words that stay the same. */
  readonly rule: string;
  readonly jobId?: string | undefined;
  readonly detail: string;
}
