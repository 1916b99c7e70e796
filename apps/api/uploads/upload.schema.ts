/** Uploads and renditions, as their owners see them. The schemas are the OpenAPI document's too. */
import { z } from 'zod';
import { Count, Sha256 } from '../../../libs/saga/values.js';
import { Time } from '../http/values.schema.js';

const Uri = z.url();

export const Upload = z.strictObject({
  id: z.uuid(),
  bytes: Count,
  sha256: Sha256,
  contentType: z.string().describe('As the bytes say, whatever the request called them.'),
  width: Count.describe('Pixels as shown: with the orientation that its metadata ask for.'),
  height: Count,
  createdAt: Time,
  expiresAt: Time,
  links: z.strictObject({ self: Uri }),
});
export type Upload = z.output<typeof Upload>;

export const RenditionFile = z.strictObject({
  name: z.string(),
  format: z.string(),
  contentType: z.string(),
  width: Count,
  height: Count,
  bytes: Count,
  sha256: Sha256,
  url: Uri.nullable().describe('Signed; null before the job has succeeded, and once the file has expired.'),
  expiresAt: Time.nullable().describe('Of the URL.'),
});
export type RenditionFile = z.output<typeof RenditionFile>;

export const RenditionSource = z.strictObject({
  upload: z.uuid(),
  status: z.enum(['waiting', 'rendered', 'refused', 'withdrawn']),
  reason: z.string().nullable().describe('Why it was refused: a code.'),
  detail: z.string().nullable(),
  width: Count.nullable().describe('Of the source as shown.'),
  height: Count.nullable(),
  frames: Count.nullable().describe('Of the source; the first is the one that was rendered.'),
  files: z.array(RenditionFile),
});
export type RenditionSource = z.output<typeof RenditionSource>;

export const RenditionPage = z.strictObject({ items: z.array(RenditionSource) });
