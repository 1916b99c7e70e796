/** What passes between those who read rows, those who write the view, and the thread that lays it out. */

/** A row as PostgreSQL writes its values. */
export type Row = Readonly<Record<string, string | null>>;

export interface DocumentRows {
  readonly head: Row;
  readonly lines: readonly Row[];
  readonly figure: readonly Row[];
}

export interface LetterFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What the thread is given: JSON for the template, and the pictures it names. */
export interface Letter {
  readonly view: object;
  readonly files: readonly LetterFile[];
}

export interface LaidOut {
  readonly pdf: Uint8Array;
  readonly pages: number;
}

/** How a layout ends: with a file, or with why these rows make none. */
export type LayoutOutcome =
  LaidOut | { readonly refused: { readonly code: string; readonly message: string } };
