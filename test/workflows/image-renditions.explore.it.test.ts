/** Every schedule of failures of renditions, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { imageRenditions } from '../../workflows/image-renditions.job.js';
import { departuresMax, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';

test(
  'renditions keep every rule in every schedule',
  async () => {
    const explored = await explore(
      imageRenditions,
      {
        input: imageRenditions.example,
        outputs: {
          inspect: () => ({ sources: 3, usable: [0, 2] }),
          render: ({ source }) =>
            source === 0 ? { files: 2, bytes: 20 } : { files: 0, bytes: 0, refused: 'image_unreadable' },
          publish: () => ({ location: 'job.manifest', bytes: 10, sha256: 'a'.repeat(64) }),
          announce: () => ({
            filename: 'renditions.json',
            contentType: 'application/json',
            expiresAt: '2026-01-02T00:00:00.000Z',
          }),
        },
      },
      { departuresMax },
    );
    tellExplored('image.renditions', explored);
    expect(explored.schedules).toBeGreaterThan(1_000);
  },
  EXPLORATION_TIMEOUT_MS,
);
