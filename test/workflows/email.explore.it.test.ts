/** Every schedule of failures of a message, up to a bound. Deeper: EXPLORE_DEPARTURES=4. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { emailSend } from '../../workflows/email-send.job.js';
import { departuresMaxOfSmall, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';

test(
  'an e-mail keeps every rule in every schedule',
  async () => {
    const outputs = {
      enroll: () => ({ recipients: 2 }),
      deliver: () => ({ sent: 1, suppressed: 0, refused: 1, dead: 0 }),
    };
    const explored = await explore(
      emailSend,
      { input: emailSend.example, outputs },
      { departuresMax: departuresMaxOfSmall },
    );
    tellExplored('email.send', explored, departuresMaxOfSmall);
    expect(explored.schedules).toBeGreaterThan(10_000);
  },
  EXPLORATION_TIMEOUT_MS,
);
