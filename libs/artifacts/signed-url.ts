/** URLs that carry their own permission: an HMAC-SHA256 over location, filename, content type and expiry. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { isLocation, type ArtifactName } from './artifact-store.js';

const SECRET_BYTES = 32;
const MS_PER_SECOND = 1_000;
const PARAMETERS = ['filename', 'type', 'expires', 'signature'] as const;

/** The signing secret, derived from the master key (HKDF), so that no second secret needs keeping. */
export function artifactSecretOf(masterKey: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', 'longhaul artifact urls', SECRET_BYTES));
}

/** `<base>/artifacts/<location>?…`; `base` is the public URL of the API, without a slash at the end. */
export function signUrl(base: string, secret: Buffer, artifact: ArtifactName, expiresAt: Date): string {
  const expires = String(Math.floor(expiresAt.getTime() / MS_PER_SECOND));
  const query = new URLSearchParams({
    filename: artifact.filename,
    type: artifact.contentType,
    expires,
    signature: signature(secret, artifact, expires).toString('base64url'),
  });
  return `${base}/artifacts/${artifact.location}?${query.toString()}`;
}

export type SignedUrlVerdict =
  ({ readonly ok: true } & ArtifactName) | { readonly ok: false; readonly reason: 'tampered' | 'expired' };

/** Judges the path and query of a request, e.g. `/artifacts/…?…`, in constant time as to the signature. */
export function verifySignedUrl(pathAndQuery: string, secret: Buffer, now: Date): SignedUrlVerdict {
  const tampered = { ok: false, reason: 'tampered' } as const;
  if (!URL.canParse(pathAndQuery, 'http://localhost')) return tampered;
  const url = new URL(pathAndQuery, 'http://localhost');
  const location = /\/artifacts\/([^/]+)$/.exec(url.pathname)?.[1];
  const names = [...url.searchParams.keys()];
  const given = PARAMETERS.map((name) => url.searchParams.get(name));
  const [filename, contentType, expires, signed] = given;
  if (names.length !== PARAMETERS.length || location === undefined || !isLocation(location)) return tampered;
  if (filename == null || contentType == null || expires == null || signed == null) return tampered;
  if (!/^\d{1,12}$/.test(expires)) return tampered;
  const artifact = { location, filename, contentType };
  const expected = signature(secret, artifact, expires);
  const actual = Buffer.from(signed, 'base64url');
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return tampered;
  if (now.getTime() >= Number(expires) * MS_PER_SECOND) return { ok: false, reason: 'expired' };
  return { ok: true, ...artifact };
}

/** JSON keeps the fields apart, whatever is in them. */
function signature(secret: Buffer, artifact: ArtifactName, expires: string): Buffer {
  const { location, filename, contentType } = artifact;
  return createHmac('sha256', secret)
    .update(JSON.stringify([location, filename, contentType, expires]))
    .digest();
}
