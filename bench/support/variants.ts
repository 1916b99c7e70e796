/** Every kind of file an export can be, from the definition itself: a new format is measured without a word here. */
import { FORMATS } from '../../libs/datasets/formats.js';
import { ReportExportInput } from '../../workflows/report-export.job.js';

export interface Variant {
  /** `csv`, `csv+gzip`. */
  readonly name: string;
  readonly format: keyof typeof FORMATS;
  readonly options: { readonly compression?: string };
}

/** All of them, or those whose names are given; throws for a name there is none of. */
export function variantsOf(names: readonly string[] | undefined): Variant[] {
  const { format, compression } = ReportExportInput.shape;
  const every = format.options.flatMap((one) =>
    [undefined, ...compression.unwrap().options].flatMap((packed): Variant[] => {
      const options = packed === undefined ? {} : { compression: packed };
      const input = { dataset: 'flights', version: 1, format: one, ...options };
      if (!ReportExportInput.safeParse(input).success) return [];
      return [{ name: packed === undefined ? one : `${one}+${packed}`, format: one, options }];
    }),
  );
  const unknown = names?.filter((name) => every.every((variant) => variant.name !== name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `No format ${unknown.join(', ')}; there are: ${every.map(({ name }) => name).join(', ')}`,
    );
  }
  return every.filter(({ name }) => names?.includes(name) ?? true);
}

/** Not those that a spreadsheet's limit keeps small. */
export function isStreamed({ format }: Variant): boolean {
  return FORMATS[format].inParts;
}
