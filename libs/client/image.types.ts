/** Uploads and renditions as the API tells them; held to the server's own schemas by a test. Times are RFC 3339, UTC. */

/** A source object. The same bytes of a tenant are one. */
export interface Upload {
  readonly id: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** As the bytes say. */
  readonly contentType: string;
  /** Pixels, as shown. */
  readonly width: number;
  readonly height: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly links: { readonly self: string };
}

export interface RenditionFile {
  readonly name: string;
  readonly format: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Signed; null before the job has succeeded, and once the file has expired. */
  readonly url: string | null;
  readonly expiresAt: string | null;
}

export interface RenditionSource {
  readonly upload: string;
  readonly status: 'waiting' | 'rendered' | 'refused' | 'withdrawn';
  /** Why it was refused: a code, and a line for people. */
  readonly reason: string | null;
  readonly detail: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** Of the source; the first was rendered. */
  readonly frames: number | null;
  readonly files: readonly RenditionFile[];
}
