import { expect, it } from 'vitest';
import { renderJobsTable, renderTable } from '../../../apps/cli/jobs-table.view.js';
import { jobAt } from '../../libs/client/faulty-api.js';

it('lines up columns whatever the colours', () => {
  expect(
    renderTable([
      ['\u001b[1mA\u001b[22m', 'B'],
      ['long', 'x'],
      ['', 'y'],
    ]),
  ).toEqual(['\u001b[1mA\u001b[22m     B', 'long  x', '      y']);
});

it('shows a job a line, with its age', () => {
  const lines = renderJobsTable(
    [jobAt(41, { key: 'flights/1' })],
    (_, text) => text,
    Date.parse('2026-01-01T00:01:30Z'),
  );
  expect(lines[0]).toMatch(/^ID +KIND +STATUS +PHASE +% +AGE +KEY$/);
  expect(lines[1]).toMatch(
    /^0199aaaa-\S+ {2}report\.export {2}STARTED {2}forward {2}41 {2}1 min {2}flights\/1$/,
  );
});
