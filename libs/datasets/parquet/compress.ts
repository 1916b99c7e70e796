/** The codecs' compressors, a page at a time, on the thread that calls them. */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import type { ParquetCodec } from './codecs.js';

/** Levels as for the other formats (compressions.ts). */
export function compressPage(page: Uint8Array, codec: ParquetCodec): Uint8Array {
  switch (codec) {
    case 'SNAPPY':
      return snappyCompress(page);
    case 'GZIP':
      return gzipSync(page, { level: 1 });
    case 'ZSTD':
      return zstdCompressSync(page, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  }
}
