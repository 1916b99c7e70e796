/** Runs contenders in turn (A B C, A B C, …), so that a machine that changes its mind changes it for all of them. */

/** One measured run. */
export interface Sample {
  /** In the bench's unit; more is better. */
  readonly value: number;
  /** Further figures, by name: times, rates. */
  readonly figures: Readonly<Record<string, number>>;
  /** Peak resident memory by process name, bytes. */
  readonly rss: Readonly<Record<string, number>>;
}

export interface Contender {
  readonly name: string;
  /** `round` -1 is the warm-up. */
  run(round: number): Promise<Sample>;
}

export interface Measured {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** One warm-up that does not count, then `rounds` of all. */
export async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  onSample: (name: string, round: number, sample: Sample) => void = () => undefined,
): Promise<Measured[]> {
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const contender of contenders) {
      const sample = await contender.run(round);
      onSample(contender.name, round, sample);
      if (round >= 0) samples.get(contender.name)?.push(sample);
    }
  }
  return [...samples].map(([name, taken]) => ({ name, samples: taken }));
}
