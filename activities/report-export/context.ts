/** What the steps of an export share: types from the definition, the dataset, names and keys. */
import type { ArgsOf, OutputOf } from '../../libs/saga/define.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { CallContext, StepContext, UndoContext } from '../../libs/saga/implement.js';
import type { Dataset } from '../../libs/datasets/datasets.js';
import { COMPRESSIONS, type Compression } from '../../libs/datasets/compressions.js';
import { FORMATS, type Format } from '../../libs/datasets/formats.js';
import type { SelectionTenant } from '../../libs/datasets/select.sql.js';
import type { Source } from '../../libs/datasets/sources.js';
import { inTenant } from '../../libs/store/database.js';
import type { reportExport, ReportExportInput } from '../../workflows/report-export.job.js';
import type { ExportResources } from '../resources.js';

type StepsOfExport = (typeof reportExport)['steps'];
export type StepName = keyof StepsOfExport;
export type Args<N extends StepName> = ArgsOf<StepsOfExport[N]>;
export type Output<N extends StepName> = OutputOf<StepsOfExport[N]>;
export type Context<N extends StepName> = StepContext<ReportExportInput, StepsOfExport[N]>;
export type Call = CallContext<ReportExportInput>;
export type Undo = UndoContext<ReportExportInput>;

export interface ExportSource {
  readonly dataset: Dataset;
  readonly source: Source;
  readonly tenant: SelectionTenant;
}

/** The dataset, its database and the tenant it is asked for. The operator may have taken it away since acceptance. */
export async function exportSourceOf(
  resources: ExportResources,
  { job, input }: Call,
): Promise<ExportSource> {
  const tenant = { id: job.tenantId, name: await tenantNameOf(resources, job.tenantId) };
  const dataset = resources.datasets.find(input.dataset, tenant);
  if (!dataset) {
    throw new Rejected('dataset_not_found', `There is no dataset "${input.dataset}" any more.`);
  }
  return { dataset, tenant, source: resources.sources.of(dataset.source) };
}

/** The name datasets and templates know a tenant by. */
export async function tenantNameOf(
  resources: Pick<ExportResources, 'database'>,
  tenantId: string,
): Promise<string> {
  return inTenant(resources.database, tenantId, async (connection) => {
    const { rows } = await connection.query<{ name: string }>(
      'select name from longhaul.tenants where id = $1',
      [tenantId],
    );
    const [row] = rows;
    if (!row) throw new Rejected('tenant_not_found', 'The tenant of this job does not exist any more.');
    return row.name;
  });
}

/** The upload of a plan: aborting it burns this key, so a start-over has another. */
export function uploadKeyOf(call: Call, plan: number): string {
  return `${call.job.id}/${plan}`;
}

export function formatOf(input: ReportExportInput): Format {
  return FORMATS[input.format];
}

/** What the file is compressed by as a whole; some formats do that inside. */
export function compressionOf(input: ReportExportInput): Compression | undefined {
  return formatOf(input).packsInside ? undefined : input.compression && COMPRESSIONS[input.compression];
}

/** What the downloaded file is called, e.g. `flights-7.csv.gz`, and what it is. */
export function fileOf(input: ReportExportInput): { filename: string; contentType: string } {
  const [format, compression] = [formatOf(input), compressionOf(input)];
  const name = `${input.dataset}-${input.version}.${format.extension}`;
  return compression
    ? { filename: `${name}.${compression.extension}`, contentType: compression.contentType }
    : { filename: name, contentType: format.contentType };
}
