/**
 * A socket that reads into one buffer of its own, again and again: a COPY's megabytes then cost no allocation, and no
 * collection of what was allocated. The driver, which keeps what it gets, is given copies.
 */
import { Socket } from 'node:net';

const BUFFER_BYTES = 1 << 17;

export class CopySocket extends Socket {
  /** Gets the bytes as they lie in the shared buffer, valid until it returns; without it they are copied for `data`. */
  borrower: ((bytes: Buffer) => void) | undefined;

  constructor() {
    const given = (bytes: Buffer): void => {
      if (this.borrower) this.borrower(bytes);
      else this.emit('data', Buffer.from(bytes));
    };
    super({
      onread: {
        buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
        callback: (length, buffer) => {
          given((buffer as Buffer).subarray(0, length));
          return true;
        },
      },
    });
  }
}

/** For the driver's `stream`: TLS is laid over a plain socket, which it reads in its own way. */
export function openCopySocket(config?: { readonly ssl?: unknown }): Socket {
  return config?.ssl ? new Socket() : new CopySocket();
}
