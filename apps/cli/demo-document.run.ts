/** The demo's document: an invoice as PDF, laid out from the rows of the demo's source, and asked for twice. */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Downloaded } from '../../libs/client/download.js';
import { renderOutcome, seeThrough, stepsOn, type DemoKinds, type DemoPart } from './demo.part.js';
import { claimSha256, type Claim } from './demo-proof.view.js';
import { formatBytes, formatCount, formatDuration } from './figures.view.js';
import { openStatusLine } from './terminal.js';

/** The one that docs/kinds/document.md has a picture of. */
const INVOICE = { template: 'invoice', object: 'INV-2026-0037', version: 1 } as const;

/** How a file says that it is PDF/A-2b (ISO 19005-2), in metadata that are never compressed. */
const ARCHIVE = ['<pdfaid:part>2<', '<pdfaid:conformance>B<'];

export const runDocument: DemoPart = async (context) => {
  const { stack, client, terminal, signal, folder } = context;
  const title = terminal.paint('bold', 'An invoice as PDF');
  terminal.print(`\n${title}: ${INVOICE.object}, its lines in seven languages`);
  const line = openStatusLine(terminal);
  try {
    const startedAt = performance.now();
    // A successor where an earlier one has failed, or its file has expired; one that is there stays.
    const asked = { signal, onDuplicate: 'restart' } as const;
    const { job, outcome } = await client.submit('document.pdf', INVOICE, asked);
    const ended = await seeThrough(context, job, stepsOn(line, terminal, 'Laying out'));
    const { status, result } = ended;
    if (status !== 'SUCCEEDED' || !result)
      return [{ label: 'laid out', value: renderOutcome(ended), holds: false }];
    const to = join(folder, `${INVOICE.object}.pdf`);
    const downloaded = await client.download(job.id, { to, signal });
    const tookMs = performance.now() - startedAt;
    const pdf = await readFile(to);
    const again = await client.submit('document.pdf', INVOICE, asked);
    const newest = await client.document(INVOICE.template, INVOICE.object, { signal });
    return claimsOf({
      pages: result.pages,
      announced: result,
      downloaded,
      isForArchives: ARCHIVE.every((mark) => pdf.includes(mark)),
      isSame: again.job.id === job.id && newest.sha256 === downloaded.sha256,
      url: `${stack.api}/documents/${INVOICE.template}/${INVOICE.object}`,
      tookMs: outcome === 'accepted' ? tookMs : undefined,
    });
  } finally {
    line.end();
  }
};

interface DocumentFacts {
  readonly pages: number;
  readonly announced: Pick<DemoKinds['document.pdf']['result'], 'bytes' | 'sha256'>;
  readonly downloaded: Downloaded;
  /** By its own metadata. */
  readonly isForArchives: boolean;
  /** Asked for again, it was the same job and the same file. */
  readonly isSame: boolean;
  readonly url: string;
  /** From the POST to the file on disk; undefined where an earlier run had made it. */
  readonly tookMs: number | undefined;
}

function claimsOf(facts: DocumentFacts): Claim[] {
  const { pages, announced, downloaded, isForArchives, isSame, url, tookMs } = facts;
  const file = relative(process.cwd(), downloaded.path) || downloaded.path;
  return [
    {
      label: 'file',
      value: `${file} · ${pages} ${pages === 1 ? 'page' : 'pages'} · ${formatBytes(downloaded.bytes)} (${formatCount(downloaded.bytes)} bytes; announced ${formatCount(announced.bytes)})`,
      holds: downloaded.bytes === announced.bytes,
    },
    claimSha256(downloaded.sha256, announced.sha256, 'announced'),
    {
      label: 'for archives',
      value: `the file ${isForArchives ? 'says' : 'does not say'} that it is PDF/A-2b`,
      holds: isForArchives,
    },
    {
      label: 'asked again',
      value: isSame
        ? 'the same job and the same file: one version of an invoice is one file'
        : 'another job, or another file',
      holds: isSame,
    },
    { label: 'at', value: url },
    {
      label: 'in all',
      value:
        tookMs === undefined
          ? 'made by an earlier run'
          : `${formatDuration(tookMs)} from the POST to the verified file`,
    },
  ];
}
