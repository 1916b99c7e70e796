/** What an e-mail about a batch of payouts can say: those of its facts that the template declares, as it declares them. */
import { valuesOfRow, type Value, type VariablesSchema } from './variables.js';

export interface PayoutFacts {
  readonly outcome: 'settled' | 'failed';
  readonly batch: string;
  readonly currency: string;
  readonly items: number;
  readonly paid: number;
  readonly refused: number;
  readonly released: number;
  readonly paidMinor: number;
}

export function factsOfPayout(schema: VariablesSchema, facts: PayoutFacts): Record<string, Value> {
  // As texts, which become what is declared.
  const texts = Object.entries(facts).map(([name, value]: [string, string | number]) => [
    name,
    String(value),
  ]);
  return valuesOfRow(schema, Object.fromEntries(texts) as Record<string, string>);
}
