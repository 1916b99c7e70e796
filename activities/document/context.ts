/** What the steps of a document share: types from the definition, names and keys. */
import type { ArgsOf, OutputOf } from '../../libs/saga/define.js';
import type { CallContext, StepContext, UndoContext } from '../../libs/saga/implement.js';
import type { documentPdf, DocumentPdfInput } from '../../workflows/document-pdf.job.js';

type StepsOfDocument = (typeof documentPdf)['steps'];
type StepName = keyof StepsOfDocument;
export type Args<N extends StepName> = ArgsOf<StepsOfDocument[N]>;
export type Output<N extends StepName> = OutputOf<StepsOfDocument[N]>;
export type Context<N extends StepName> = StepContext<DocumentPdfInput, StepsOfDocument[N]>;
export type Call = CallContext<DocumentPdfInput>;
export type Undo = UndoContext<DocumentPdfInput>;

/** Aborting the upload burns this key: a job that renders again has another. */
export function uploadKeyOf({ job }: Call, upload: number): string {
  return `${job.id}/${upload}`;
}

/** What the downloaded file is called, e.g. `invoice-INV-2026-0042-v3.pdf`, and what it is. */
export function fileOf({ template, object, version }: DocumentPdfInput): {
  filename: string;
  contentType: string;
} {
  const name = object.replace(/[^\p{L}\p{N}._-]+/gu, '-');
  return { filename: `${template}-${name}-v${version}.pdf`, contentType: 'application/pdf' };
}
