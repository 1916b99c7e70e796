/** The parts of the demo after its export, one after the other. One that cannot go on says why, and the next has its turn. */
import { describeFailure } from './command.error.js';
import { runDocument } from './demo-document.run.js';
import { runEmail } from './demo-email.run.js';
import { runFanout } from './demo-fanout.run.js';
import type { DemoContext, DemoPart } from './demo.part.js';
import { runPayout } from './demo-payout.run.js';
import { renderClaims } from './demo-proof.view.js';
import { runRenditions } from './demo-renditions.run.js';
import { formatDuration } from './figures.view.js';

const PARTS: readonly DemoPart[] = [runEmail, runFanout, runDocument, runRenditions, runPayout];

/** Returns whether all that they claim holds. Ends by the signal's reason when it aborts. */
export async function runParts(context: DemoContext, parts = PARTS): Promise<boolean> {
  const { terminal } = context;
  const startedAt = performance.now();
  let holds = true;
  for (const part of parts) holds = (await runPart(part, context)) && holds;
  terminal.print(`\nAfter the export: ${formatDuration(performance.now() - startedAt)} for all of these.`);
  return holds;
}

async function runPart(part: DemoPart, context: DemoContext): Promise<boolean> {
  const { terminal, signal } = context;
  try {
    const claims = await part(context);
    if (claims.length > 0) renderClaims(claims, terminal.paint).forEach((line) => terminal.print(line));
    return claims.every((claim) => claim.holds !== false);
  } catch (error) {
    signal.throwIfAborted();
    const [what = '', ...more] = describeFailure(error).split('\n');
    terminal.print(`  ${terminal.paint('red', '✗')} ${what}`);
    more.forEach((line) => terminal.print(`    ${line}`));
    return false;
  }
}
