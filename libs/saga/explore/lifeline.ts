/** What ties an attempt to those who wait for it, until its worker is given up. */
export class Lifeline {
  /** The worker acts no more; one that is frozen is given up, and acts again. */
  isLost = false;
  private isGivenUp = false;
  private readonly waiting: (() => void)[] = [];

  /** Nobody waits for it any more. */
  giveUp(): void {
    if (this.isGivenUp) return;
    this.isGivenUp = true;
    for (const leave of this.waiting) leave();
  }

  /** What `work` answers, or `instead` when the worker is given up first. `Promise.race` would take several times as long. */
  until<R, I>(work: Promise<R>, instead: I): Promise<R | I> {
    return new Promise((resolve, reject) => {
      work.then(resolve, reject);
      if (this.isGivenUp) resolve(instead);
      else this.waiting.push(() => resolve(instead));
    });
  }
}
