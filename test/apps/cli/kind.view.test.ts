import { expect, it } from 'vitest';
import { renderKind } from '../../../apps/cli/kind.view.js';
import type { KindDescription } from '../../../libs/client/job.types.js';
import { describeKind } from '../../../libs/saga/describe.js';
import { payoutItem } from '../../../workflows/payout-item.job.js';

const plain = (_: unknown, text: string): string => text;
const kind = describeKind(payoutItem) as unknown as KindDescription;

it('tells a newcomer what each step is, and what happens when it fails', () => {
  const text = renderKind(kind, plain).join('\n');
  expect(text).toMatch(/^payout\.item {2}Pays one recipient of a batch; within 48h\n/);
  expect(text).toMatch(
    /\npay +pivot +keyed +payments-io +1 min 0 s +- +closePayment +Pay through the provider\n/,
  );
  expect(text).toMatch(
    /\npay\n {2}not possible now, .*\n {2}no answer: .*\n {2}refused, or out of attempts +certainly not done: the saga goes back: undone by release;/,
  );
  expect(text).toContain('\nDiagram (Mermaid)\nflowchart TD\n');
});

it('lets nothing steer the terminal', () => {
  const hostile = { ...kind, summary: 'a\u001b[2Jb', diagram: 'x\u0007' };
  for (const line of renderKind(hostile, plain)) expect(line).not.toMatch(/[\u0000-\u001f]/);
});
