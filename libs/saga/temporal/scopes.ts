/**
 * Cancellation scopes that cost little. The SDK keeps a stack trace of every promise in the sandbox, and a scope of its
 * own is six of them an attempt.
 */
import { CancellationScope } from '@temporalio/workflow';

/** Runs its work as it is: the SDK's own scope awaits it, which is two promises more, for a time-out nobody here has. */
export class PlainScope extends CancellationScope {
  protected override runInContext<T>(work: () => Promise<T>): Promise<T> {
    try {
      return work();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** A cancellable scope on loan, for one attempt. */
export interface LentScope {
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Does nothing once it was given back. */
  cancel(): void;
  giveBack(): void;
}

/** Lends scopes. One that nothing cancelled is as good as new for the next attempt. */
export function createScopePool(): { lend(): LentScope } {
  const idle: CancellationScope[] = [];
  return {
    lend() {
      const scope = idle.pop() ?? new PlainScope({ cancellable: true });
      let isLent = true;
      return {
        run: (work) => scope.run(work),
        cancel() {
          if (isLent) scope.cancel();
        },
        giveBack() {
          isLent = false;
          if (!scope.consideredCancelled) idle.push(scope);
        },
      };
    },
  };
}
