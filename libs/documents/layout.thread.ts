/**
 * What runs on a thread of the pool: one letter becomes a PDF. PDF/A-2b, which wants every letter's font embedded, and
 * whose one date is the document's own: the same view is the same bytes.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeCompiler } from '@myriaddreamin/typst-ts-node-compiler';
import { fontFolders } from './fonts.js';
import type { LayoutOutcome, Letter } from './letter.js';

const STANDARD = 'a-2b';
const FOLDER = dirname(fileURLToPath(import.meta.url));
const TEMPLATE = join(FOLDER, 'letter.typ');
/** Nothing of one tenant's letter is kept for the next. */
const KEEP_NOTHING = 0;

export interface LayoutTask extends Letter {
  /** A folder with an operator's own. */
  readonly fontFolder: string | undefined;
}

let compiler: NodeCompiler | undefined;

/** Throws what should not happen: a template that is wrong. */
export default function layOut({ view, files, fontFolder }: LayoutTask): LayoutOutcome {
  const folders = [...fontFolders(), ...(fontFolder === undefined ? [] : [fontFolder])];
  compiler ??= NodeCompiler.create({ workspace: FOLDER, fontArgs: [{ fontPaths: folders }] });
  try {
    compiler.mapShadow(join(FOLDER, 'view.json'), Buffer.from(JSON.stringify(view)));
    for (const { name, bytes } of files) compiler.mapShadow(join(FOLDER, name), Buffer.from(bytes));
    return compiled(compiler);
  } finally {
    compiler.resetShadow();
    compiler.evictCache(KEEP_NOTHING);
  }
}

function compiled(typst: NodeCompiler): LayoutOutcome {
  const { result, ...failed } = resultOf(typst);
  if (!result) throw new Error(`The template does not compile: ${failed.problems.join('; ')}`);
  try {
    const pdf = typst.pdf(result, { pdfStandard: STANDARD });
    return { pdf: new Uint8Array(pdf), pages: result.numOfPages };
  } catch (error) {
    // Written as Rust writes a text within a text.
    const letters = /the text \\?"(.*?)\\?" could not be displayed/.exec(String(error))?.[1];
    if (letters === undefined) throw error;
    return { refused: { code: 'letters_missing', message: missing(letters) } };
  }
}

interface Diagnostic {
  readonly message: string;
  readonly range?: { readonly start: { readonly line: number } };
}

function resultOf(typst: NodeCompiler) {
  const run = typst.compile({ mainFilePath: TEMPLATE });
  const error = run.takeError();
  const problems = error ? (typst.fetchDiagnostics(error) as Diagnostic[]) : [];
  return {
    result: run.result,
    problems: problems.map(({ message, range }) => `letter.typ:${(range?.start.line ?? 0) + 1}: ${message}`),
  };
}

/** By their numbers: what a row says is for its owner's eyes, and a failure is read by others, too. */
function missing(escaped: string): string {
  const text = escaped.replace(/\\+u\{([0-9a-f]+)\}/gi, (_, code: string) =>
    String.fromCodePoint(parseInt(code, 16)),
  );
  const codes = [...text].map(
    (letter) => `U+${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`,
  );
  return `No font has a sign for ${codes.join(' ')}. Mend the text, or name a folder of fonts that have it (LONGHAUL_DOCUMENT_FONTS).`;
}
