/** How a process of the stack tells its supervisor that it is ready. */

export type ProcessRole = 'api' | 'relay' | 'worker' | 'sandbox-provider' | 'sandbox-mailbox';

export interface Ready {
  readonly role: ProcessRole;
  /** Where it serves, for the API. */
  readonly url?: string;
  /** Where its Prometheus metrics are, when it serves them. */
  readonly metricsUrl?: string;
}

/** The message on the IPC channel. */
export interface ReadyMessage extends Ready {
  readonly type: 'ready';
}

/** Says `ready` to the supervising parent; without one (started by hand) it does nothing. */
export function announceReady(ready: Ready): void {
  const message: ReadyMessage = { type: 'ready', ...ready };
  process.send?.(message);
}

/** Whether a message from a child is its `ready`. */
export function isReadyMessage(message: unknown): message is ReadyMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}
