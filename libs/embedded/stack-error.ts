/** What a person can mend about a start that did not succeed; its message says how, no stack needed. */

export class StackError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StackError';
  }
}
