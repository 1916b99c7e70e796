/** What an error of whichever store means: a server's own answers, and what the system's calls say of a folder. */
import { StoreFailure } from './artifact-store.js';

const BUSY = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'ESTALE', 'ETIMEDOUT']);
const CLOSED = new Set(['EACCES', 'EPERM', 'EROFS']);

/** As a store that is a server would say it; undefined for what is none of the store's. */
export function storeFailureOf(error: unknown): StoreFailure | undefined {
  if (error instanceof StoreFailure) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code !== 'string') return undefined;
  if (BUSY.has(code)) return new StoreFailure('busy', code, { cause: error });
  return CLOSED.has(code) ? new StoreFailure('denied', code, { cause: error }) : undefined;
}
