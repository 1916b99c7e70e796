/** A document that cannot be made of these rows, whatever is tried: told to whoever asked, with what to do. */
export class DocumentRefusal extends Error {
  constructor(
    /** Stable, in snake case. */
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'DocumentRefusal';
  }
}
