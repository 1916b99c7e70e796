/** Reads zstd by RFC 8878: every frame of it. Node's own stops, without a word, after the first. */
import { zstdDecompressSync } from 'node:zlib';

export function unzstd(file: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const { buffer, engine } = zstdDecompressSync(file.subarray(at), { info: true }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    frames.push(buffer);
    at += engine.bytesWritten;
  }
  return Buffer.concat(frames);
}
