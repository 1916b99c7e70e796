/** Something in the rows has no place in a Parquet file. It names the column and never the value. */
export class ParquetRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ParquetRefusal';
  }
}
