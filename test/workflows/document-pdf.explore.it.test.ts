/** Every schedule of failures of a document, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { documentPdf } from '../../workflows/document-pdf.job.js';
import { departuresMax, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';

const SHA = 'a'.repeat(64);

test(
  'a document keeps every rule in every schedule',
  async () => {
    const outputs = {
      render: () => ({ upload: 0, rows: 24, pages: 2, bytes: 500, sha256: SHA, rowsSha256: SHA }),
      publish: () => ({ location: 'job.0', bytes: 500, sha256: SHA }),
      announce: () => ({
        filename: 'invoice-INV-1-v1.pdf',
        contentType: 'application/pdf',
        expiresAt: '2026-01-02T00:00:00.000Z',
      }),
    };
    const explored = await explore(documentPdf, { input: documentPdf.example, outputs }, { departuresMax });
    tellExplored('document.pdf', explored);
    expect(explored.schedules).toBeGreaterThan(300);
  },
  EXPLORATION_TIMEOUT_MS,
);
