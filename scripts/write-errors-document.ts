/** Writes docs/errors.md from the table of error codes: `node dist/scripts/write-errors-document.js`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderErrorsDocument } from '../apps/api/problems/problem.table.js';

writeFileSync(join(process.cwd(), 'docs', 'errors.md'), renderErrorsDocument());
