/** The token in the codec endpoint of the embedded stack's Web UI, which knows a URL and can send no key. */
import { deriveKey } from './master-key.js';

/** Derived from the master key, so that API and engine agree on it without another secret to keep. */
export function codecUiTokenOf(masterKey: Uint8Array): string {
  return deriveKey(masterKey, 'codec/ui-token').toString('base64url');
}
