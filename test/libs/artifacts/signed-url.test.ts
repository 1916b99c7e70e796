import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { artifactSecretOf, signUrl, verifySignedUrl } from '../../../libs/artifacts/signed-url.js';

const BASE = 'https://reports.example/longhaul';
const secret = artifactSecretOf(Buffer.alloc(32, 7));
const artifact = {
  location: '0190b2f0-0000-7000-8000-000000000000.0',
  filename: 'flights-7.csv',
  contentType: 'text/csv; charset=utf-8',
};
const expiresAt = new Date('2026-01-02T03:04:05Z');
const before = new Date('2026-01-02T03:04:04Z');
const url = signUrl(BASE, secret, artifact, expiresAt);
const pathAndQuery = (text: string) => new URL(text).pathname + new URL(text).search;

test('verifies what it signed, whatever the file is called', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (filename, contentType) => {
      const signed = signUrl(BASE, secret, { ...artifact, filename, contentType }, expiresAt);
      expect(verifySignedUrl(pathAndQuery(signed), secret, before)).toEqual({
        ok: true,
        location: artifact.location,
        filename: filename.toWellFormed(),
        contentType: contentType.toWellFormed(),
      });
    }),
  );
});

test('expires to the second', () => {
  expect(verifySignedUrl(pathAndQuery(url), secret, before).ok).toBe(true);
  expect(verifySignedUrl(pathAndQuery(url), secret, expiresAt)).toEqual({ ok: false, reason: 'expired' });
});

test('takes any change of any character for tampering', () => {
  const original = pathAndQuery(url);
  for (let at = '/longhaul/artifacts/'.length; at < original.length; at += 1) {
    const replacement = original[at] === '1' ? '2' : '1';
    const changed = original.slice(0, at) + replacement + original.slice(at + 1);
    const verdict = verifySignedUrl(changed, secret, before);
    // The last characters of base64url may stand for the same bytes.
    if (verdict.ok) expect(verdict).toMatchObject(artifact);
    else expect(verdict.reason).toBe('tampered');
  }
});

test('a signature says nothing about another file, time, or store', () => {
  const other = signUrl(BASE, secret, { ...artifact, location: `${artifact.location}1` }, expiresAt);
  const signature = new URL(url).searchParams.get('signature') ?? '';
  const grafted = new URL(other);
  grafted.searchParams.set('signature', signature);
  const prolonged = new URL(url);
  prolonged.searchParams.set('expires', '99999999999');
  for (const text of [grafted.toString(), prolonged.toString()]) {
    expect(verifySignedUrl(pathAndQuery(text), secret, before)).toEqual({ ok: false, reason: 'tampered' });
  }
  expect(verifySignedUrl(pathAndQuery(url), artifactSecretOf(randomBytes(32)), before).ok).toBe(false);
});

test('a parameter more, less, or twice is tampering', () => {
  for (const change of ['&extra=1', '&expires=99999999999', '&signature=x']) {
    expect(verifySignedUrl(pathAndQuery(url) + change, secret, before).ok).toBe(false);
  }
  for (const name of ['filename', 'type', 'expires', 'signature']) {
    const less = new URL(url);
    less.searchParams.delete(name);
    expect(verifySignedUrl(pathAndQuery(less.toString()), secret, before).ok).toBe(false);
  }
});

test('answers any text without throwing, and lets none through', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webPath(), fc.webUrl({ withQueryParameters: true })), (text) => {
      expect(verifySignedUrl(text, secret, before).ok).toBe(false);
      expect(verifySignedUrl(`/artifacts/${text}`, secret, before).ok).toBe(false);
    }),
  );
});
