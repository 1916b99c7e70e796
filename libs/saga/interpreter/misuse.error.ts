/**
 * The saga's own code breaks a rule: a step called twice, an effect before its time, args too large. It is a
 * programming error, so nothing is undone for it: on Temporal it blocks the workflow task until mended code comes.
 */
export class SagaMisuse extends TypeError {
  constructor(kind: string, problem: string) {
    super(`Kind "${kind}": ${problem}.`);
    this.name = 'SagaMisuse';
  }
}
