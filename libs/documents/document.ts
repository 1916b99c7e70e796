/** A document, from its rows: the one path that jobs, the pictures of the docs and the tests take. */
import type { DocumentTemplate } from './document-templates.js';
import { invoiceContent } from './invoice.view.js';
import type { DocumentRows, Letter } from './letter.js';
import { letterOf } from './letter.view.js';
import { statementContent } from './statement.view.js';
import { createFormats } from './value.format.js';

/** The letter a template makes of these rows. Throws DocumentRefusal. */
export function writeLetter({ entry, logo }: DocumentTemplate, rows: DocumentRows): Letter {
  const { language, region } = entry;
  const formats = createFormats({ language, region, currency: rows.head['currency'] ?? undefined });
  const content =
    entry.layout === 'invoice'
      ? invoiceContent(entry, rows, formats)
      : statementContent(entry, rows, formats);
  return letterOf(entry, content, rows, { formats, logo });
}
