/** The codecs of a Parquet file's pages. */
import type { CompressionCodec } from 'hyparquet';

/** By the name the input has; without one, what every reader of Parquet reads. */
export const PARQUET_CODECS = { none: 'SNAPPY', gzip: 'GZIP', zstd: 'ZSTD' } as const satisfies Record<
  string,
  CompressionCodec
>;
export type ParquetCodec = (typeof PARQUET_CODECS)[keyof typeof PARQUET_CODECS];
