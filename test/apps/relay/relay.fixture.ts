/** The relay's process, for tests that kill it. */
import { run } from '../../../apps/relay/main.js';

await run();
