/** Every schedule of failures of an export, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { reportExport } from '../../workflows/report-export.job.js';
import { departuresMax, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';

const PARTS = 2;
const ROWS_OF_PART = 5;
const ROWS = PARTS * ROWS_OF_PART;

test.each([
  ['counted before it is cut', { rows: ROWS }],
  ['counted beside its parts', {}],
])(
  'an export %s keeps every rule in every schedule',
  async (name, known) => {
    const explored = await explore(
      reportExport,
      {
        input: { dataset: 'flights', version: 1, format: 'csv' },
        outputs: {
          keep: (_, { generation }) => ({ snapshot: `s${generation}` }),
          plan: (_, { generation }) => ({ plan: generation, parts: PARTS, ...known }),
          count: () => ({ rows: ROWS }),
          render: () => ({ rows: ROWS_OF_PART, bytes: 100 }),
          publish: () => ({ location: 'here', bytes: 200, sha256: 'a'.repeat(64) }),
          announce: () => ({ filename: 'a.csv', contentType: 'text/csv', expiresAt: '2026-01-02T00:00:00Z' }),
        },
      },
      { departuresMax },
    );
    tellExplored(`report.export ${name}`, explored);
    expect(explored.schedules).toBeGreaterThan(5_000);
  },
  EXPLORATION_TIMEOUT_MS,
);
